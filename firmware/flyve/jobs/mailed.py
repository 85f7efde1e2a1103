"""A link as a mail program passes it on -> the link that was sent."""

from micropython import const

from flyve.jobs import escapes, link_place

# What is not seen and may stand anywhere: no-break and soft blanks, marks of direction, a BOM.
_UNSEEN = const((b"\xc2\xa0", b"\xc2\xad", b"\xe2\x80\x8b", b"\xe2\x80\x8c", b"\xe2\x80\x8d",
                 b"\xe2\x80\x8e", b"\xe2\x80\x8f", b"\xe2\x81\xa0", b"\xef\xbb\xbf"))  # fmt: skip
_ENTITIES = const((b"&lt;", b"<", b"&gt;", b">", b"&quot;", b'"', b"&equals;", b"=",
                   b"&plus;", b"+", b"&sol;", b"/"))  # fmt: skip
_QUOTES = const(b" \t\r\n<>\"'`()[]{}.,;:!?*")
_ENDS = const(b"<>\"'`]")  # nothing of a link comes behind these


def mended(data):
    """The link (bytes) without what a mail program has put into it or around it."""
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
    at, _ = link_place.first(data, 0)
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
