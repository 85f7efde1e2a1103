"""Invitation text -> Invitation: every form that the backend and its apps ever used."""

import binascii
from collections import namedtuple

from micropython import const

from flyve.jobs import mailed, texts

LIMIT = const(16384)  # bytes of a deeplink, all that is around it included
# The backend's fields have 255 characters of up to 4 bytes, and base64 makes 4 of 3: 9.5 KiB, in
# the JSON of 2017 with its escapes 11 KiB; a mail's own escapes and a gateway's link come on top.
_FIELDS = ("url", "user_token", "invitation_token", "name", "phone", "website", "email")
_CUT = const(": the link was cut or altered; copy it again")
_NEW = const("; ask for a new invitation")
_NONE = const(
    "no invitation in it; copy the whole link, or, if a mail gateway has replaced it, open it and "
    "copy the address that it leads to"
)
_SEGMENTS = const(32)  # of a path, with which the base64 may begin
# mutants: pieces of any size give the same
_PIECE = const(1024)  # symbols that are decoded at once


class DeeplinkError(ValueError):
    """A deeplink that cannot be used; the text says what is wrong with it, without its tokens."""


# What an administrator's invitation carries, all str; the helpdesk's name, phone, website and
# email are "" when the administrator left them out. A namedtuple keeps no hold on this module,
# which can be dropped from RAM while an Invitation is in use.
Invitation = namedtuple("Invitation", _FIELDS)


def _payload(link):
    """Yields beginning and end of the base64 candidates in a link, the likeliest first, and
    whether it must be one."""
    mark = link.find(b"data=")
    if mark >= 0 and (mark == 0 or link[mark - 1] in b"?&"):
        end = len(link)
        for c in (b"&", b"#"):
            at = link.find(c, mark, end)
            if at > mark:  # mutants: it is not the "d"
                end = at
        yield mark + 5, end, True
    elif b"://" not in link:
        yield 0, len(link), True
    else:
        # Standard base64 may itself contain "/": drop leading segments one by one.
        at = link.find(b"://") + 2
        for _ in range(_SEGMENTS):
            at = link.find(b"/", at + 1)
            if at < 0:  # mutants: a scheme stands before it
                return
            head = link[at + 1 : at + 4]
            yield at + 1, len(link), head in (b"aHR", b"SFR", b"eyJ")


def _decode(link, at, end):
    """What the base64 between the two places stands for, in the first bytes of a buffer, with a
    zero behind; where its blanks end, and where it ends. In pieces, for it may be long."""
    for _ in range(3):
        if link.find(b"%", at, end) >= at:
            link = mailed.escapes(link[at:end], b"%")
            at = 0
            end = len(link)
    while at < end and link[at] <= 0x20:
        at += 1
    while at < end and link[end - 1] in b"= \t\r\n":
        end -= 1
    if at == end:
        raise DeeplinkError("not base64" + _CUT)
    data = bytearray(end - at)  # mutants: a longer one does as well
    size = 0
    rest = b""
    for start in range(at, end, _PIECE):
        piece = link[start : min(end, start + _PIECE)]
        # A "+" of the query may have been decoded to a blank; other white space is a mail's.
        piece = piece.replace(b" ", b"+").replace(b"-", b"+").replace(b"_", b"/")
        piece = rest + b"".join(piece.split())
        whole = len(piece) if start + _PIECE >= end else len(piece) & ~3
        rest = piece[whole:]
        try:
            part = binascii.a2b_base64(piece[:whole] + b"==")  # those too many do no harm
            # Decoders skip what is not in the alphabet: then the way back is shorter.
            if len(binascii.b2a_base64(part).rstrip(b"=\n")) != whole:
                raise ValueError
        except ValueError:
            raise DeeplinkError("not base64" + _CUT) from None
        # mutants: what stood behind the place may stay behind the part
        data[size : size + len(part)] = part
        size += len(part)
    at = 0  # mutants: the last byte is a zero, which is passed over
    while at < size and data[at] <= 0x20:
        at += 1
    return data, at, size


def _text(data):
    try:
        return str(data, "utf-8").strip()
    except UnicodeError:
        raise DeeplinkError("not UTF-8 inside" + _CUT) from None


def _json_fields(data):
    try:
        found = texts.loads(data)
        values = []
        for name in _FIELDS:
            name = "support_" + name if len(values) > 2 else name
            values.append(str(found.get(name) or "").strip())
        return values
    except ValueError:
        _text(data)
        raise DeeplinkError("its JSON is malformed" + _NEW) from None


def _fields(data, at, size):
    if data[at] == 0x7B:
        return _json_fields(bytes(memoryview(data)[at:size]))
    escaped = b"\\;" in data
    mark = b"\\;" if escaped else b";"
    cuts = [at]  # where a field begins
    for _ in range(data.count(mark)):
        at = data.find(mark, at) + len(mark)
        cuts.append(at)
    count = len(cuts)
    if count < 3:
        raise DeeplinkError("too few fields: %d of at least 3" % count + _NEW)
    cuts.append(size + len(mark))
    # A separator inside the helpdesk's name looks like any other.
    cuts[4:-4] = []
    parts = []
    for i in range(len(cuts) - 1):
        part = _text(memoryview(data)[cuts[i] : cuts[i + 1] - len(mark)])
        if escaped:
            part = part.replace("\\;", ";").replace("\\\\", "\\")
        parts.append(part)
    return parts + [""] * (7 - len(parts))


def _address(url):
    """The API's URL as the agent uses it: its scheme in lower case, without a slash at its end."""
    scheme, colon, rest = url.partition("://")
    scheme = scheme.lower()
    if not colon or scheme not in ("http", "https"):
        raise DeeplinkError("its URL is not http(s)" + _NEW)
    place = rest.split("/")[0]
    host, colon, port = place.partition(":")
    what = ""
    if "@" in rest:
        what = "a user or password in it: take them out"
    elif "[" in place or ":" in port:
        what = "an IPv6 address: give the server a name"
    elif not host:
        what = "no host"
    elif colon and not (port.isdigit() and len(port) < 6 and 0 < int(port) < 65536):
        what = "a port that is no number of 1 to 65535"
    for c in rest:
        if not " " < c < "\x7f" or c in '\\?#<>"':
            what = what or "a character that does not belong there"
    for c in host:
        if not (c.isalpha() or c.isdigit() or c in ".-_"):
            what = what or "a character that no host name has"
    if what:
        raise DeeplinkError("its URL has " + what + _NEW)
    return scheme + "://" + rest.rstrip("/")


def _read(link):
    """The Invitation in a link. Raises DeeplinkError."""
    failure = None
    decoded = None
    for at, end, sure in _payload(link):
        try:
            found = _decode(link, at, end)
        except DeeplinkError as e:
            if sure:
                failure = failure or e
            continue
        data, begin, _ = found
        head = bytes(data[begin : begin + 4]).lower()
        if head == b"http" or head[:1] == b"{":
            decoded = found
            break
        if sure:
            decoded = decoded or found
    if decoded is None:
        raise failure or DeeplinkError(_NONE)
    fields = _fields(*decoded)
    fields[0] = _address(fields[0])
    for name, value in zip(_FIELDS[1:3], fields[1:]):
        if not value or [c for c in value if not " " < c < "\x7f" or c == "\\"]:
            raise DeeplinkError("no whole %s in it" % name + _CUT)
    return Invitation(*fields)


def parse(text):
    """Reads an invitation's deeplink (str or bytes, at most 16 KiB) and returns an Invitation.

    Accepts `<url>?data=<base64>`, `flyve://register?data=<base64>`, `<url>/<base64>` and the bare
    base64, in the standard or the URL-safe alphabet, padded or not, in quotes, in the escapes of a
    mail, and inside the link of a gateway; the fields are joined by `\\;` (the real backend), by
    `;` (its documentation) or are a JSON object (before 2017-07-19). Raises DeeplinkError.
    """
    if isinstance(text, str):
        text = text.encode()
    if len(text) > LIMIT:
        raise DeeplinkError("longer than %d characters" % LIMIT + _NEW)
    if not text.strip():
        raise DeeplinkError("empty: provision a deeplink")
    failure = None
    for link in mailed.links(text):
        try:
            return _read(link)
        except DeeplinkError as e:
            if failure is None or str(e) != _NONE:
                failure = e
    try:
        text.decode()
    except UnicodeError:
        raise DeeplinkError("not text: provision the deeplink again") from None
    raise failure
