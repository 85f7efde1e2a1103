"""Text from outside, before it goes on: to a driver, a file name, the wire or a terminal."""

import json
import os


def _half(data, at):
    """The half of a UTF-16 pair that the escape at this place stands for, or 0."""
    try:
        n = int(data[at + 2 : at + 6], 16) if data[at : at + 2] == b"\\u" else 0
    except ValueError:
        return 0
    return n if n >> 11 == 0x1B else 0


def loads(data):
    """The value of a JSON text (str or bytes). A pair of escaped halves is one character and a
    half alone is U+FFFD, for MicroPython's json makes of each half what is no UTF-8. A byte order
    mark is passed over. Raises ValueError."""
    if isinstance(data, str):
        data = data.encode()
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
    if start:
        data = out + data[start:]
    at = data.find(b"\xed")
    if at >= 0:
        data = bytearray(data)
    while at >= 0:
        # A half that is no escape: what older firmware kept.
        if data[at + 1 : at + 2] > b"\x9f":
            data[at : at + 3] = b"\xef\xbf\xbd"
        at = data.find(b"\xed", at + 1)
    return json.loads(data)


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
        if c > 0xC1:
            two = c << 8 | data[at + 1]
            if two < 0xC2A0:
                size = 2
            elif two == 0xE280:
                size = 3 * (0xA8 <= data[at + 2] <= 0xAE)
            elif two == 0xE281:
                size = 3 * (0xA6 <= data[at + 2] <= 0xA9)
            elif two == 0xEFBF:
                size = 3 * (data[at + 2] > 0xBD)
            elif 0xEDA0 <= two < 0xEE00:
                size = 3
            elif two >= 0xF490:
                size = 4
        if size:
            out += data[start:at] + (b" " if c in b"\t\n\r" else b"\xef\xbf\xbd")
            start = at + size
        at += 1
    return str(out + data[start:], "utf-8") if start else text
