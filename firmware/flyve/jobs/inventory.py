"""FusionInventory XML about this board, sent in pieces.

Values go without & < > " since the backend decodes entities twice at enrollment.
"""

import os
import time

from micropython import const

from flyve import VERSION, log, memory
from flyve.jobs import board_facts

_RELEASE = const("1.0.0")  # of the project; VERSION is what the backend is told


def _clean(value):
    text = log.plain(str(value))
    for c in '&<>"':
        text = text.replace(c, " ")
    return text.encode()


def _section(names, *values):
    name, *keys = names.encode().split(b" ")
    out = b"<%s>" % name
    for key, value in zip(keys, values):
        out += b"<%s>%s</%s>" % (key, _clean(value), key)
    return out + b"</%s>\n" % name


def _applications():
    try:
        os.stat("/apps")
    except OSError:
        return []
    found = []
    from flyve.jobs import packages

    for name, path in packages.installed():
        found.append((name, path.rsplit("/", 1)[1].rstrip("~")))
    packages = None
    memory.drop("packages")
    return found


def sections(settings, online=None, tag=None):
    """The inventory's pieces (bytes), a section each. settings: of config.load(); online: the
    Online object, once enrolled; tag: FusionInventory's TAG, which assigns the entity
    (`invitation_<invitation token>` at enrollment)."""
    serial = settings.get("serial") or board_facts.serial()
    model = board_facts.model()
    mac = board_facts.mac()
    memory.collect()
    used, heap, idf, largest = board_facts.heap()
    from flyve.jobs import files

    size, count, blocks = files.free()
    files = None
    memory.drop("files")
    network = ("", "", "")
    text = (
        "up %d s, reset %s, heap used %d of %d, at most %d, "
        "ESP-IDF's free %d, largest block %d, last trouble %s; "
    ) % (
        log.uptime() // 1000, board_facts.reset_cause(), used, heap, memory.high,
        idf, largest, log.last_error[:120] or "none",
    )  # fmt: skip
    if online:
        agent = online.agent
        network = agent.wifi.address()[:3]
        text += "crashes %d, error %s, reconnects %d" % (
            agent.crashes, agent.rec.get("error", ""), max(0, online.link.connects - 1),
        )  # fmt: skip
    made = [
        b'<?xml version="1.0" encoding="UTF-8"?>\n<REQUEST>\n<QUERY>INVENTORY</QUERY>\n',
        # The key under which the backend looks the device up: stable for its life.
        b"<DEVICEID>%s</DEVICEID>\n<CONTENT>\n" % _clean(serial),
        b"<VERSIONCLIENT>Flyve-MDM-ESP32_v%s</VERSIONCLIENT>\n" % VERSION.encode(),
        _section("ACCESSLOG LOGDATE", "%04d-%02d-%02d %02d:%02d:%02d" % time.gmtime()[:6]),
        _section("BIOS SSN SMANUFACTURER SMODEL", serial, "Espressif", model),
        _section(
            "HARDWARE NAME UUID OSNAME OSVERSION MEMORY DESCRIPTION",
            serial, settings.get("uuid") or board_facts.uuid(), "MicroPython",
            os.uname()[3] if hasattr(os, "uname") else "", max(1, (heap + idf) >> 20), text,
        ),
        _section("CPUS NAME SPEED", model, board_facts.frequency()),
        _section(
            "NETWORKS DESCRIPTION TYPE STATUS MACADDR IPADDRESS IPMASK IPGATEWAY", "wlan0",
            "wifi", "Up", ":".join([mac[i : i + 2] for i in range(0, 12, 2)]), *network,
        ),
        _section(
            "DRIVES TYPE FILESYSTEM TOTAL FREE", "/", "littlefs",
            size * blocks // 1048576, size * count // 1048576,
        ),
        _section("SOFTWARES NAME VERSION", "flyve-mdm-esp32", _RELEASE),
    ]  # fmt: skip
    if tag:
        made.append(_section("ACCOUNTINFO KEYNAME KEYVALUE", "TAG", tag))
    for found in _applications():
        made.append(_section("SOFTWARES NAME VERSION", *found))
    if online:
        from flyve.jobs import failures

        for found in failures.read(online.rec):
            made.append(_section("FAILEDTASKS TASKID SYMBOL STATUS REASON", *found))
        failures = None
        memory.drop("failures")
    made.append(b"</CONTENT>\n</REQUEST>\n")
    return made
