"""Damages a recorded stream of bytes in one of the ways in which peers and networks do."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from host_tests.kit.peers.broker import packet

Damage = Callable[[bytes, random.Random], bytes]

_NUMBERS = (b"0", b"-1", b"1", b"007", b"4294967296", b"99999999999999999999", b"1e9", b"0x10",
            b"", b" ", b"NaN", b"+5", b"5,6")  # fmt: skip
_EDGES = (0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF)


def _flip(data: bytes, chance: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        if out:
            out[chance.randrange(len(out))] ^= 1 << chance.randrange(8)
    return bytes(out)


def _edge(data: bytes, chance: random.Random) -> bytes:
    out = bytearray(data)
    if out:
        out[chance.randrange(len(out))] = chance.choice(_EDGES)
    return bytes(out)


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _lose(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + data[at + chance.choice((1, 2, 16, 300)) :]


def _double(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    to = at + chance.choice((1, 2, 16, 300))
    return data[:to] + data[at:to] * chance.choice((1, 1, 40)) + data[to:]


def _insert(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.randbytes(chance.choice((1, 3, 40, 2000))) + data[at:]


def _noise(data: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(chance.choice((0, 1, 4, 100, 5000)))


BYTES: tuple[Damage, ...] = (_flip, _edge, _cut, _lose, _double, _insert, _noise)


def _number(data: bytes, chance: random.Random) -> bytes:
    found = list(re.finditer(rb"\d+", data[:2000]))
    if not found:
        return _flip(data, chance)
    one = chance.choice(found)
    return data[: one.start()] + chance.choice(_NUMBERS) + data[one.end() :]


def _status(data: bytes, chance: random.Random) -> bytes:
    line = chance.choice((
        b"", b"HTTP/1.1", b"HTTP/1.1 ", b"HTTP/1.1 abc OK", b"HTTP/1.1 200", b"HTTP/9.9 200 OK",
        b"HTTP/1.1 -200 OK", b"HTTP/1.1 99999999999 OK", b"HTTP/1.1 301 Moved", b"HTTP/1.1 100 Go",
        b"HTTP/1.1 204 None", b"HTTP/1.1 416 No", b"HTTP/1.1 500 Oops", b"ICY 200 OK",
        b"HTTP/1.1 200 " + b"x" * 9000, b"\0\xff" * 40, b"200 OK HTTP/1.1",
        b"HTTP/1.1 401 Unauthorized", b"HTTP/1.1 " + chance.randbytes(8),
    ))  # fmt: skip
    return line + b"\r\n" + data.partition(b"\r\n")[2]


def _header(data: bytes, chance: random.Random) -> bytes:
    line = chance.choice((
        b"X: " + b"a" * chance.choice((200, 255, 256, 3000, 40000)),
        b"\r\n".join(b"X-%d: y" % i for i in range(chance.choice((10, 3000)))),
        b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, Chunked",
        b"transfer-encoding: chunked", b"Content-Encoding: gzip",
        b"Content-Length: -1", b"Content-Length: 1\r\nContent-Length: 99",
        b"Content-Range: bytes 5-1/3", b"Content-Range: bytes */0", b"Content-Range: bytes -",
        b"Content-Range: bytes 0-18446744073709551615/18446744073709551616",
        b"Content-Range: " + chance.randbytes(20), b"Content-Type: text/html",
        b"Content-Type: \xff\xfe", b"Last-Modified: \xc3", b"Last-Modified: " + b"z" * 5000,
        b"Location: http://elsewhere.example.org/", b"no colon at all", b":", b" folded: yes",
        b"Content-Length", b"Content-Length:\0\0",
    ))  # fmt: skip
    first, end, rest = data.partition(b"\r\n")
    return first + end + line + b"\r\n" + rest


def _redirect(data: bytes, chance: random.Random) -> bytes:
    place = chance.choice((
        b"http://elsewhere.example.org/x?session_token=leak", b"/again", b"", b"//x", b"\xff\0",
        b"https://" + b"a" * 9000,
    ))  # fmt: skip
    status = chance.choice((b"301 Moved", b"302 Found", b"307 X", b"308", b"300", b"399 ?"))
    return b"HTTP/1.1 " + status + b"\r\nLocation: " + place + b"\r\n\r\n"


def _body(data: bytes, chance: random.Random) -> bytes:
    head, end, body = data.partition(b"\r\n\r\n")
    other = chance.choice((
        b"<html><body>504 Gateway Time-out</body></html>", b"", b"null", b"[]", b"[[[[[[[[[[[[",
        b'["ERROR"', b'{"a":' * 900, b'{"' + b"k" * 5000 + b'": 1}', b'{"name": "' + b"v" * 5000,
        b'{"id": ' + b"9" * 3000 + b"}", b"5\r\n{}   \r\n0\r\n\r\n", b"\x1f\x8b\x08" + body,
        b"\xef\xbb\xbf" + body, body.replace(b'"', b"'"), body.replace(b":", b"::"),
        body + b"}" * 9, body * 3, b'{"filesize": -5, "name": null}',
        b'{"filesize": "1e400", "session_token": ["x"]}', b'{"session_token": 12}',
        b'{"filesize": 1e400, "name": {"a": []}}',
    ))  # fmt: skip
    return head + end + other


HTTP: tuple[Damage, ...] = (_number, _status, _header, _redirect, _body)


def mutants(good: list[bytes], ways: tuple[Damage, ...], chance: random.Random, count: int):
    """Yields `count` times one of the good streams, damaged once or twice."""
    for _ in range(count):
        data = chance.choice(good)
        for _ in range(chance.choice((1, 1, 2))):
            data = chance.choice(ways)(data, chance)
        yield data


def damaged(chance: random.Random, data: bytes, ways: tuple[Damage, ...]) -> bytes:
    """The data, damaged once or twice."""
    for _ in range(chance.choice((1, 1, 2))):
        data = chance.choice(ways)(data, chance)
    return data


def packets(stream: bytes) -> list[bytes]:
    """The MQTT packets of a good stream."""
    found = []
    while stream:
        size = shift = 0
        at = 1
        while True:
            size |= (stream[at] & 127) << shift
            shift += 7
            at += 1
            if stream[at - 1] < 128:
                break
        found.append(stream[: at + size])
        stream = stream[at + size :]
    return found


def renamed(stream: bytes, old: bytes, new: bytes) -> bytes:
    """The stream with another topic in its PUBLISHes."""
    out = b""
    for one in packets(stream):
        if one[0] & 0xF0 == 0x30 and old in one:
            head = 3 if one[1] & 128 else 2
            size = int.from_bytes(one[head : head + 2], "big")
            topic = one[head + 2 : head + 2 + size].replace(old, new)
            body = len(topic).to_bytes(2, "big") + topic + one[head + 2 + size :]
            one = packet(one[0], body)
        out += one
    return out


def _topic(chance: random.Random) -> bytes:
    return chance.choice((
        b"76/agent/SN1/Command/Ping", b"76/agent/SN1/Command/Wipe", b"76/agent/SN1/Command",
        b"76/agent/SN1/Policy/x/Task/1", b"76/agent/SN1//", b"76/fleet/1/Policy/deployFile/Task/9",
        b"", b"/", b"\0", b"\xff\xfe", b"76/agent/SN1/Command/" + b"a/" * 200, b"t" * 5000,
        b"76/fleet/1/x", b"76/agent/SN1/Policy/deployFile",
    ))  # fmt: skip


def _payload(chance: random.Random) -> bytes:
    return chance.choice((
        b"", b'{"query":"Ping"}', b"{", b"null", b"[" * 400, b'"\\ud800"', b"\xff" * 9,
        b"p" * 4096,
        b'{"a":' * 800, b'{"x":' + b"9" * 400 + b',"taskId":1}', b'{"x":[{"taskId":[]}]}',
        b"p" * 9000, b'{"wipe":"now"}', b'{"query":{}}',
        b'{"deployFile":[{"taskId":{}},5,null]}',
    ))  # fmt: skip


def _publish(chance: random.Random) -> bytes:
    topic = _topic(chance)
    flags = chance.choice((0, 1, 2, 3, 8, 10, 4, 6, 14))
    pid = chance.choice((0, 1, 32767, 32768, 65534, 65535)).to_bytes(2, "big")
    body = len(topic).to_bytes(2, "big") + topic + (pid if flags & 6 else b"") + _payload(chance)
    return packet(0x30 | flags, body)


def _strange(chance: random.Random) -> bytes:
    pid = chance.choice((0, 1, 2, 32766, 32767, 32768, 32769, 32770, 65534, 65535))
    pid = pid.to_bytes(2, "big")
    return chance.choice((
        packet(chance.randrange(16) << 4 | chance.randrange(16), chance.randbytes(5)),
        packet(chance.randrange(16) << 4),
        packet(0x40, pid), packet(0x40, pid + b"x"), packet(0x40), packet(0x50, pid),
        packet(0x62, pid), packet(0x70, pid), packet(0x90, pid + b"\x80"), packet(0x90, pid),
        packet(0x90, pid + b"\1\1"), packet(0xB0, pid), packet(0xD0), packet(0xD0, b"x" * 600),
        packet(0x20, b"\0\0"), packet(0x20, b"\0"),
        b"\x30\xff\xff\xff\x7f\0\1t", b"\x32\x80\x80\x80\x80\1", b"\x90\xff\xff\xff\x7f",
        b"\x30\x02\xff\xff", b"\x30\x80\0", b"\x32\x03\0\1t", b"\x30\xa0\x1f\x10\0",
    ))  # fmt: skip


def _add(data: bytes, chance: random.Random) -> bytes:
    """A packet more, at a place where one may begin."""
    try:
        good = packets(data)
    except IndexError:
        return data + _strange(chance)
    at = chance.randrange(len(good) + 1)
    more = [chance.choice((_publish, _strange))(chance) for _ in range(chance.choice((1, 1, 30)))]
    return b"".join(good[:at] + more + good[at:])


def _shuffle(data: bytes, chance: random.Random) -> bytes:
    try:
        good = packets(data)
    except IndexError:
        return _flip(data, chance)
    first = good[:1] if chance.random() < 0.7 else []
    rest = good[len(first) :]
    chance.shuffle(rest)
    return b"".join(first + rest[: chance.randrange(len(rest) + 1)])


def _connack(data: bytes, chance: random.Random) -> bytes:
    first = chance.choice((
        b"", b"\x20", b"\x20\x02", b"\x20\x02\0", b"\x20\x02\0\5", b"\x20\x02\1\0",
        b"\x20\x03\0\0\0",
        b"\x20\x02\0\xff", b"\x20\x01\0", b"\xd0\0", b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x10\x02\0\0", b"\x20\x82\0\0\0", b"\x15\x03\x03\0\2\2\x28",
    ))  # fmt: skip
    return first + data[4:]


MQTT: tuple[Damage, ...] = (_add, _add, _shuffle, _connack)
