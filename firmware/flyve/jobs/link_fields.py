"""One link of an invitation -> its fields; deeplink.py has what is to be known of them."""

import binascii

from micropython import const

from flyve.jobs import escapes

_FIELDS = ("url", "user_token", "invitation_token", "name", "phone", "website", "email")
_CUT = const(": the link was cut or altered; copy it again")
_NEW = const("; ask for a new invitation")
_SEGMENTS = const(32)  # of a path, with which the base64 may begin
# mutants: pieces of any size give the same
_PIECE = const(1024)  # symbols that are decoded at once


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
            link = escapes.decode(link[at:end], b"%")
            at = 0
            end = len(link)
    while at < end and link[at] <= 0x20:
        at += 1
    while at < end and link[end - 1] in b"= \t\r\n":
        end -= 1
    if at == end:
        raise ValueError("not base64" + _CUT)
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
            raise ValueError("not base64" + _CUT) from None
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
        raise ValueError("not UTF-8 inside" + _CUT) from None


def _json_fields(data):
    from flyve.jobs import texts

    try:
        found = texts.loads(data)
        values = []
        for name in _FIELDS:
            name = "support_" + name if len(values) > 2 else name
            values.append(str(found.get(name) or "").strip())
        return values
    except ValueError:
        _text(data)
        raise ValueError("its JSON is malformed" + _NEW) from None


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
        raise ValueError("too few fields: %d of at least 3" % count + _NEW)
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


def read(link):
    """The texts of deeplink.Invitation in a link (bytes), as they came; None when there is no
    invitation in it. Raises ValueError: the text says what is wrong, without its tokens."""
    failure = None
    decoded = None
    for at, end, sure in _payload(link):
        try:
            found = _decode(link, at, end)
        except ValueError as e:
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
        if failure:
            raise failure
        return None
    return _fields(*decoded)
