"""Damaged input of every kind: invitations, settings, records, archives, messages. What is wrong
with it is told by the exceptions that the modules promise, and by no others."""

import base64
import io
import json
import struct
import tarfile
import zlib

import pytest

from host_tests.kit.damage import BYTES
from host_tests.kit.sample import chance

BOARD = True
HEAP = "1M"

BATCH = 50
USER, INVITATION = "user-token-0123456789", "invitation-token-0123456789"


def sizes(sample, whole):
    """A sample, and a long run in the soak."""
    long_run = pytest.param(whole, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])
    return pytest.mark.parametrize("count", [sample, long_run])


def run(upy, function, make, count, *more):
    """Calls the function with count things that make() gives; what it says beside the wrong."""
    others = []
    for _ in range(0, count, BATCH):
        data = [make() for _ in range(min(count, BATCH))]
        found = upy.call("damaged", function, data, *more, deadline=120)
        wrong, *rest = found if function == "bundles" else (found,)
        assert not wrong, (wrong[0][1], data[wrong[0][0]], upy.output[-2000:])
        others += rest
    return others


def damaged(random, data, ways=BYTES):
    """The data, damaged once or twice."""
    for _ in range(random.choice((1, 1, 2))):
        data = random.choice(ways)(data, random)
    return data


def _links():
    fields = ["https://glpi.example.org/apirest.php", USER, INVITATION, "Help; desk", "+33 1",
              "https://support.example.org", "help@example.org"]  # fmt: skip
    names = ("url", "user_token", "invitation_token", "support_name", "support_phone")
    texts = ["\\;".join(fields), ";".join(fields), ";".join(fields[:3])]
    texts.append(json.dumps(dict(zip(names, fields, strict=False))))
    for text in texts:
        yield text.encode()


@sizes(600, 30_000)
def test_deeplinks(upy, count):
    random = chance("deeplink")
    texts = list(_links())
    forms = (
        b"https://x.example.org/a?data=%s",
        b"flyve://register?data=%s",
        b"http://x/%s",
        b"%s",
    )

    def make():
        text = random.choice(texts)
        inside = random.random() < 0.5
        code = base64.b64encode(damaged(random, text) if inside else text)
        link = random.choice(forms) % code
        return link if inside and random.random() < 0.7 else damaged(random, link)

    run(upy, "deeplinks", make, count)


def _replace(data, random):
    """Another value in the place of one."""
    try:
        values = json.loads(data)
        name = random.choice(sorted(values))
    except (ValueError, TypeError, IndexError):
        return data
    values[name] = random.choice((
        None, True, -1, 10**30, 1e300, "", "x" * 3000, [], [1], [[]], {}, {"a": 1}, {"": ""},
        {"SDCARD": None}, ["pool.ntp.org", 5], [None], "a/b", "\ud800", 0, 3600.5, float("inf"),
    ))  # fmt: skip
    return json.dumps(values).replace("Infinity", "1e999").encode("utf-8", "replace")


@sizes(300, 20_000)
def test_configurations(upy, count):
    random = chance("configuration")
    good = {"serial": "SN1", "email": "a@b.c", "keepalive": 60, "ntp": ["a", "b:123"],
            "roots": {"SDCARD": "/files"}, "tls": True, "latitude": 48.1, "port": 8883,
            "log_level": "debug", "user": {"firstname": "A"}, "chunk": 4096}  # fmt: skip
    good = json.dumps(good).encode()
    ways = (*BYTES, _replace, _replace, _replace, _replace)
    run(upy, "configurations", lambda: damaged(random, good, ways), count)


@pytest.mark.parametrize("text", [b"[" * 4000, b'{"a":' * 800, b'{"roots":' + b"[" * 4000])
def test_a_configuration_that_is_nested_without_end_is_a_problem(upy, text):
    assert upy.call("damaged", "cramped_configuration", text) == 1


def _slot(body, version=1, flags=0, sequence=9):
    blob = struct.pack("<2sBBIH", b"FR", version, flags, sequence, len(body)) + body
    return blob + struct.pack("<I", zlib.crc32(blob))


def _resum(data, random):
    return data[:-4] + struct.pack("<I", zlib.crc32(data[:-4])) if len(data) > 4 else data


@sizes(200, 5_000)
def test_record_slots(upy, count):
    random = chance("record")
    good = upy.call("damaged", "slot_of_an_agent")
    bodies = (b"{}", b"[]", b"null", b"5", b'"x"', b"[[[", b"{", b"", b"\xff", b'{"state": []}')
    ways = (*BYTES, lambda data, random: _slot(random.choice(bodies), flags=random.choice((0, 1))))

    def make():
        data = damaged(random, good, ways)
        if random.random() < 0.2:
            data = _resum(data, random)
        # NVS holds no blob of that size.
        return [data[:1900], random.random() < 0.5]

    run(upy, "records", make, count, good)


def _archive():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in (("main.py", b"print(1)\n"), ("lib/a.txt", b"x" * 700), ("lib", None),
                           ("data/b.bin", bytes(1200)), ("./c", b"")):  # fmt: skip
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE if data is None else tarfile.REGTYPE
            info.size = len(data or b"")
            archive.addfile(info, io.BytesIO(data or b""))
    return out.getvalue()[: 512 * 12]


def _member(data, random):
    """A field of a header changed, its checksum right again."""
    heads = [at for at in range(0, len(data) - 511, 512) if data[at + 257 : at + 262] == b"ustar"]
    if not heads:
        return data
    at = random.choice(heads)
    head = bytearray(data[at : at + 512])
    place, size, values = random.choice((
        (0, 100, (b"../evil", b"/evil", b"a/../../evil", b"a//b", b"main.py/x", b"lib", b"\xff",
                  b"n" * 100, b".", b"./", b"..", b"x\x01y", b"a\\b", b"flyve/agent.mpy", b"")),
        (124, 12, (b"77777777777", b"-1", b"0", b"00000001000", b"9", b"\x80" + bytes(11), b"")),
        (156, 1, tuple(b"01234567xgLKS\0\xff")),
        (345, 155, (b"../..", b"/", b"p" * 155, b"a/b", b"")),
        (257, 8, (b"ustar  \0", b"ustar\00000", bytes(8))),
        (148, 8, (b"0", b"xyz")),
    ))  # fmt: skip
    value = random.choice(values)
    value = bytes([value]) if isinstance(value, int) else value
    head[place : place + size] = value.ljust(size, b"\0")
    if place != 148:
        head[148:156] = b"%06o\0 " % (sum(head) - sum(head[148:156]) + 256)
    return data[:at] + bytes(head) + data[at + 512 :]


@sizes(60, 4_000)
def test_archives(upy, count):
    random = chance("archive")
    good = _archive()
    ways = (*BYTES, _member, _member, _member, _member, _member, _member, _member)
    unpacked = run(upy, "bundles", lambda: damaged(random, good, ways), count)
    assert count / 20 < sum(unpacked) < count


_VALUES = ("true", "false", "default", "", "0", "-1", "60", 5, -5, 1.5, None, True, [], {}, [1],
           "%SDCARD%/a/", "%SDCARD%/../x", "/flyve/agent.mpy", "/files/../boot.py", "%NO%/x",
           "org.app", "../x", "a" * 200, "\x00", "\ud83d\ude00", {"a": {"b": []}})  # fmt: skip
_SYMBOLS = ("deployFile", "removeFile", "deployApp", "removeApp", "periodicGeolocation",
            "disableWifi", "disableBluetooth", "disableCamera", "passwordMinLength", "", "é",
            "DEPLOYFILE", "taskId")  # fmt: skip


def _message(random):
    symbol, value = random.choice(_SYMBOLS), random.choice(_VALUES)
    task = random.choice((1, "1", 7, "x", -1, "", 10**20, None, [], 1.5, "é", "a" * 300))
    body = {symbol: value, "taskId": task}
    for name in ("id", "version", "versionCode"):
        if random.random() < 0.6:
            body[name] = random.choice((1, "1", "x", None, [], -1, 10**12, "", 2.5))
    if random.random() < 0.1:
        body = {symbol: [body, body]}
    topic = random.choice((
        f"76/agent/SN1/Policy/{symbol}/Task/{task}", f"76/fleet/1/Policy/{symbol}/Task/{task}",
        f"76/agent/SN1/Policy/{symbol}", "76/fleet/1/group", f"76/agent/SN1/Command/{symbol}",
    ))  # fmt: skip
    text = json.dumps(body).encode()
    return [topic.encode(), random.choice((text, text, text, damaged(random, text), b""))]


@sizes(400, 20_000)
def test_messages_from_the_broker(upy, count):
    random = chance("message")
    run(upy, "messages", lambda: _message(random), count)


@pytest.mark.parametrize(
    ("symbol", "body"),
    [
        ("deployFile", b'{"deployFile":"%SDCARD%/","id":1e999,"taskId":1}'),
        ("deployApp", b'{"deployApp":"org.app","id":-1e999,"taskId":1}'),
        ("periodicGeolocation", b'{"periodicGeolocation":1e999,"taskId":1}'),
        ("periodicGeolocation", b'{"periodicGeolocation":' + b"9" * 3000 + b',"taskId":1}'),
        # MicroPython's json takes a number for a key.
        ("x", b'{5:1,"taskId":1}'),
    ],
    ids=["file", "app", "endless", "long", "key"],
)
def test_a_number_that_is_none_fails_the_task(upy, symbol, body):
    topic = f"76/agent/SN1/Policy/{symbol}/Task/1".encode()
    assert upy.call("damaged", "messages", [[topic, body]]) == []
