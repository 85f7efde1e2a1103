"""Text from outside, before it goes on: to a driver, a file name, the wire or a terminal."""

import json
import os

from micropython import const

_BRACKETS = const(256)


def _half(data, at):
    """The half of a UTF-16 pair that the escape at this place stands for, or 0."""
    try:
        n = int(data[at + 2 : at + 6], 16) if data[at : at + 2] == b"\\u" else 0
    except ValueError:
        return 0
    return n if n >> 11 == 0x1B else 0


def _unsound(two):
    """How long the sequence that begins with these two bytes is, if MicroPython takes it for a
    character but UTF-8 does not: overlong, half a pair, or above U+10FFFF; else 0."""
    if two < 0xC200:
        return 2
    if 0xE000 <= two < 0xE0A0 or 0xEDA0 <= two < 0xEE00:
        return 3
    return 4 if 0xF000 <= two < 0xF090 or two >= 0xF490 else 0


def _sound(data):
    """The bytes with U+FFFD for each such sequence."""
    out = b""
    start = at = 0
    for c in data:
        size = c > 0xBF and _unsound(c << 8 | data[at + 1])
        if size:
            out += data[start:at] + b"\xef\xbf\xbd"
            start = at + size
        at += 1
    return out + data[start:] if start else data


def loads(data):
    """The value of a JSON text (str or bytes). A pair of escaped halves is one character; a half
    alone, and what else is no UTF-8 though MicroPython's json lets it pass, is U+FFFD. A byte
    order mark is passed over. Raises ValueError, also for more brackets than anything of ours."""
    if isinstance(data, str):
        data = data.encode()
    if data.count(b"[") + data.count(b"{") > _BRACKETS:
        raise ValueError("too many brackets")  # each takes a lot of memory
    if len(str(data, "utf-8")) < len(data):
        data = _sound(data)
    start = 3 if data[:3] == b"\xef\xbb\xbf" else 0
    out = bytearray()
    at = data.find(b"\\") if b"\\u" in data else -1
    while at >= 0:
        half = _half(data, at)
        size = 2
        if half:
            size = 6
            other = _half(data, at + 6)
            if half < 0xDC00 <= other:
                half = (half << 10) + other - 0x35FDC00
                size = 12
            else:
                half = 0xFFFD
            out += data[start:at]
            out += chr(half).encode()
            start = at + size
        at = data.find(b"\\", at + size)
    return json.loads(out + data[start:] if start else data)


def read(path, limit):
    """The bytes of a file, up to limit + 1 of them: more than limit are too many. It takes as
    much memory as the file is long. Raises OSError."""
    with open(path, "rb") as f:
        return f.read(min(os.stat(path)[6], limit + 1))


def cut(text, size):
    """As much of the text's beginning as fits into size bytes of UTF-8."""
    data = text.encode()
    if len(data) <= size:
        return text
    while data[size] & 0xC0 == 0x80:
        size -= 1
    return str(data[:size], "utf-8")


def plain(text):
    """The text without what moves a cursor, ends a line, turns the writing round, or is in no
    XML: U+FFFD stands for it, for white space a blank."""
    data = text.encode()
    out = b""
    start = at = 0
    for c in data:  # not of the text: each of its characters would stay in RAM for good
        size = c < 0x20 or c == 0x7F
        if c > 0xBF:
            two = c << 8 | data[at + 1]
            size = _unsound(two)
            if 0xC200 <= two < 0xC2A0:
                size = 2
            elif two == 0xE280:
                size = 3 * (0xA8 <= data[at + 2] <= 0xAE)
            elif two == 0xE281:
                size = 3 * (0xA6 <= data[at + 2] <= 0xA9)
            elif two == 0xEFBF:
                size = 3 * (data[at + 2] > 0xBD)
        if size:
            out += data[start:at] + (b" " if c in b"\t\n\r" else b"\xef\xbf\xbd")
            start = at + size
        at += 1
    return str(out + data[start:], "utf-8") if start else text
