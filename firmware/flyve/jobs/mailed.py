"""A link as mail programs and their gateways pass it on -> the link that was sent."""

import binascii

from micropython import const

from flyve.jobs import escapes

_DEPTH = const(5)  # links inside links
_SCHEMES = const((b"http", b"https", b"flyve"))
_COLONS = const((b"://", b"%3a", b"%253a", b"%25253a"))
# What is not seen and may stand anywhere: no-break and soft blanks, marks of direction, a BOM.
_UNSEEN = const((b"\xc2\xa0", b"\xc2\xad", b"\xe2\x80\x8b", b"\xe2\x80\x8c", b"\xe2\x80\x8d",
                 b"\xe2\x80\x8e", b"\xe2\x80\x8f", b"\xe2\x81\xa0", b"\xef\xbb\xbf"))  # fmt: skip
_ENTITIES = const((b"&lt;", b"<", b"&gt;", b">", b"&quot;", b'"', b"&equals;", b"=",
                   b"&plus;", b"+", b"&sol;", b"/"))  # fmt: skip
_QUOTES = const(b" \t\r\n<>\"'`()[]{}.,;:!?*")
_ENDS = const(b"<>\"'`]")  # nothing of a link comes behind these
_DIGITS = const(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def following(data, turn):
    """(the link to be tried after that one, how many were looked for): that one mended, then the
    link inside it; None when there is no more. turn: 0 for a link as it came."""
    while turn < _DEPTH:
        before = data
        data = _inside(data) if turn else _mended(data)
        turn += 1
        if data is None or data != before:
            return data, turn
    return None, turn


def _mended(data):
    for unseen in _UNSEEN:
        data = data.replace(unseen, b"")
    data = data.replace(b"\r\n", b"\n").replace(b"\n> ", b"\n").replace(b"\n>", b"\n")
    while b"\n " in data:
        data = data.replace(b"\n ", b"\n")  # a broken line goes on below its beginning
    if b"=3D" in data or b"=3d" in data:
        data = escapes.decode(data.replace(b"=\n", b""), b"=")  # quoted-printable
    elif b"=\n" in data:
        # So are soft line ends; but the one behind the parameter's name is its own.
        data = data.replace(b"data=\n", b"data=").replace(b"=\n", b"")
    while b"&amp;" in data:
        data = data.replace(b"&amp;", b"&")
    for i in range(0, len(_ENTITIES), 2):
        data = data.replace(_ENTITIES[i], _ENTITIES[i + 1])
    if b"&#" in data:
        data = _numbered(data)
    at, _ = _scheme(data, 0)
    if at > 0 and data[at - 1] in b"=/&?":
        at = 0
    data = data[max(0, at) :].strip(_QUOTES)
    at = 0
    while at < len(data) and (data[at] in _ENDS or data[at] > 0x7E):
        at += 1
    end = at
    while end < len(data) and data[end] not in _ENDS and data[end] < 0x7F:
        end += 1
    return data[at:end].strip(_QUOTES)


def _numbered(data):
    """The bytes without entities of the form &#61; and &#x3d;"""
    parts = data.split(b"&#")
    for i in range(1, len(parts)):
        number, _, rest = parts[i].partition(b";")
        try:
            code = int(number[1:], 16) if number[:1] in (b"x", b"X") else int(number, 10)
            parts[i] = bytes((code,)) + rest
        except ValueError:
            parts[i] = b"&#" + parts[i]
    return b"".join(parts)


def _scheme(data, start):
    """(place, whether escaped) of the first link from start on; (-1, False) if there is none."""
    low = data.lower()
    best = -1
    escaped = False
    for scheme in _SCHEMES:
        for colon in _COLONS:
            at = low.find(scheme + colon, start)
            if at >= 0 and not 0 <= best <= at:
                best = at
                escaped = colon != b"://"
    return best, escaped


def _inside(data):
    """The link inside a link, None when there is none."""
    low = data[:80].lower()
    if b"://urldefense" in low:
        if b"/v3/__" in low:
            return _third(data)
        if b"/v2/" in low:
            value = _parameter(data, b"u")
            if value:
                return escapes.decode(value.replace(b"-", b"%").replace(b"_", b"/"), b"%")
    at, escaped = _scheme(data, 0)
    if at == 0 and not escaped:
        at, escaped = _scheme(data, 5)
        if at > 0 and data[at - 1] not in b"=/&?":
            at = -1
    if at >= 0:
        data = data[at:]
        return escapes.decode(data.split(b"&")[0], b"%") if escaped else data
    if b"data%" in data:
        return escapes.decode(data.split(b"&")[0], b"%")
    for name in (b"u", b"url", b"q"):
        value = _parameter(data, name)
        try:
            if value:
                value = (
                    escapes.decode(value, b"%")
                    .replace(b"-", b"+")
                    .replace(b"_", b"/")
                    .rstrip(b"=")
                )
                value = binascii.a2b_base64(value + b"=" * (-len(value) % 4))
                if _scheme(value, 0)[0] == 0:
                    return value
        except ValueError:
            pass
    return None


def _parameter(data, name):
    """The value of a parameter, None when it is not there."""
    for part in data.partition(b"?")[2].split(b"&"):
        key, _, value = part.partition(b"=")
        if key == name:
            return value
    return None


def _third(data):
    """What a link of the form /v3/__<link>__;<what its stars stand for>!... was."""
    data = data[data.find(b"/v3/__") + 6 :]
    at = data.rfind(b"__;")
    if at < 0:
        return None
    link = data[:at]
    stars = data[at + 3 :].split(b"!")[0].replace(b"-", b"+").replace(b"_", b"/")
    try:
        stars = binascii.a2b_base64(stars + b"=" * (-len(stars) % 4))
    except ValueError:
        return None
    parts = link.split(b"*")
    out = [parts[0]]
    i = 1
    while i < len(parts):
        part = parts[i]
        count = 1
        if not part and i + 1 < len(parts) and parts[i + 1]:
            # Two stars and a digit: a run of them.
            i += 1
            part = parts[i]
            count = _DIGITS.find(part[:1]) + 2
            part = part[1:]
        out.append(stars[:count])
        stars = stars[count:]
        out.append(part)
        i += 1
    link = b"".join(out)
    if b"://" not in link:
        link = link.replace(b":/", b"://", 1)
    return link
