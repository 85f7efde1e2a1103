"""FusionInventory XML about this board, in pieces: never whole in RAM.

Values go without & < > " since the backend decodes entities twice at enrollment.
"""

import binascii
import gc
import os
import time

from flyve import VERSION, board, log, resident


def _clean(value):
    text = str(value)
    for c in '&<>"':
        text = text.replace(c, " ")
    return text


def of(agent):
    """The facts of an agent that is enrolled."""
    health = {
        "crashes": agent.crashes,
        "reconnects": max(0, agent.link.connects - 1),
        "lowest heap": resident.low,
        "error": agent.rec.get("error", ""),
    }
    return facts(agent.settings, agent.wifi.address(), health)


def facts(settings, network=None, health=None):
    """What there is to tell, read once, so that the pieces are the same each time they are made.
    settings: of config.load(); network: (address, mask, gateway, dns) or None; health: what
    else there is to tell, by name."""
    st = os.statvfs("/")
    gc.collect()
    return {
        "serial": settings["serial"] or board.serial(),
        "uuid": settings["uuid"] or board.uuid(),
        "network": network or ("", "", "", ""),
        "disk": (st[0] * st[2] // 1048576, st[0] * st[3] // 1048576),
        "heap": (gc.mem_alloc() + gc.mem_free()) // 1024,
        "free": gc.mem_free() // 1024,
        "uptime": log.uptime() // 1000,
        "cause": board.reset_cause(),
        "error": log.last_error[:120],
        "time": time.gmtime(),
        "health": health or {},
        "software": [("flyve-mdm-esp32", VERSION)] + _applications(),
    }


def _applications():
    try:
        os.stat("/apps")
    except OSError:
        return []
    found = list(resident.load("packages").installed())
    resident.drop("packages", "files")
    return found


def _section(names, *values):
    name, *keys = names.split(" ")
    out = "<%s>" % name
    for key, value in zip(keys, values):
        out += "<%s>%s</%s>" % (key, _clean(value), key)
    return (out + "</%s>\n" % name).encode()


def pieces(f, tag=None):
    """Yields the XML (bytes) for the facts f; tag: FusionInventory's TAG, which assigns the
    entity (`invitation_<invitation token>` at enrollment)."""
    yield b'<?xml version="1.0" encoding="UTF-8"?>\n<REQUEST>\n<QUERY>INVENTORY</QUERY>\n'
    # DEVICEID is the key under which the backend looks the device up: stable for its life.
    yield b"<DEVICEID>%s</DEVICEID>\n<CONTENT>\n" % _clean(f["serial"]).encode()
    yield b"<VERSIONCLIENT>Flyve-MDM-ESP32_v%s</VERSIONCLIENT>\n" % VERSION.encode()
    yield _section("ACCESSLOG LOGDATE", "%04d-%02d-%02d %02d:%02d:%02d" % f["time"][:6])
    if tag:
        yield _section("ACCOUNTINFO KEYNAME KEYVALUE", "TAG", tag)
    yield _section("BIOS SSN SMANUFACTURER SMODEL", f["serial"], "Espressif", board.model())
    health = "up %d s, reset %s, heap free %d of %d KiB, last trouble %s; " % (
        f["uptime"], f["cause"], f["free"], f["heap"], f["error"] or "none"
    )  # fmt: skip
    health += ", ".join(["%s %s" % pair for pair in sorted(f["health"].items())])
    yield _section(
        "HARDWARE NAME UUID OSNAME OSVERSION MEMORY DESCRIPTION",
        f["serial"], f["uuid"], "MicroPython", os.uname()[3] if hasattr(os, "uname") else "",
        max(1, f["heap"] // 1024), health,
    )  # fmt: skip
    yield _section("CPUS NAME SPEED", board.model(), board.frequency())
    mac = board.mac()
    yield _section(
        "NETWORKS DESCRIPTION TYPE STATUS MACADDR IPADDRESS IPMASK IPGATEWAY",
        "wlan0", "wifi", "Up", ":".join([mac[i : i + 2] for i in range(0, 12, 2)]),
        *f["network"][:3],
    )  # fmt: skip
    yield _section("DRIVES TYPE FILESYSTEM TOTAL FREE", "/", "littlefs", *f["disk"])
    for software in f["software"]:
        yield _section("SOFTWARES NAME VERSION", *software)
    yield b"</CONTENT>\n</REQUEST>\n"


def base64(made):
    """Yields the pieces (bytes) in base64, as bytes, a line's worth at a time."""
    held = b""
    for piece in made:
        held += piece
        whole = len(held) // 3 * 3
        if whole >= 48:
            yield binascii.b2a_base64(held[:whole])[:-1]
            held = held[whole:]
    if held:
        yield binascii.b2a_base64(held)[:-1]


class Body:
    """The inventory as a body that is sent piece by piece and never whole in RAM; with a head
    (bytes) as the last member of `input` in JSON that begins so. f, tag: as for pieces()."""

    def __init__(self, f, head=None, tag=None):
        self._made = f, tag
        self._head = head
        self._size = 0
        for piece in self.pieces():
            self._size += len(piece)

    def __len__(self):
        return self._size

    def pieces(self):
        """Yields the body's pieces, the same ones each time."""
        made = pieces(*self._made)
        if not self._head:
            yield from made
            return
        yield self._head
        yield from base64(made)
        yield b'"}}'
