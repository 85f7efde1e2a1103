"""Invitation text -> Invitation: every form that the backend and its apps ever used."""

import binascii
from collections import namedtuple

from micropython import const

from flyve.text import loads

LIMIT = const(2048)  # characters of a whole deeplink
_FIELDS = ("url", "user_token", "invitation_token", "name", "phone", "website", "email")
_HEX = const("0123456789abcdefABCDEF")
_CUT = const(": the link was cut or altered; copy it again")
_NEW = const("; ask for a new invitation")


class DeeplinkError(ValueError):
    """A deeplink that cannot be used; the text says what is wrong with it, without its tokens."""


# What an administrator's invitation carries, all str; the helpdesk's name, phone, website and
# email are "" when the administrator left them out. A namedtuple keeps no hold on this module,
# which can be dropped from RAM while an Invitation is in use.
Invitation = namedtuple("Invitation", _FIELDS)


def _unquote(text):
    parts = text.split("%")
    out = [parts[0]]
    for part in parts[1:]:
        if len(part) > 1 and part[0] in _HEX and part[1] in _HEX:
            out.append(chr(int(part[:2], 16)) + part[2:])
        else:
            out.append("%" + part)
    return "".join(out)


def _payload(text):
    """Yields the base64 candidates in a link, the likeliest first."""
    mark = text.find("data=")
    if mark >= 0 and (mark == 0 or text[mark - 1] in "?&"):
        yield text[mark + 5 :].split("&")[0].split("#")[0]
    elif "://" not in text:
        yield text
    else:
        # Standard base64 may itself contain "/": drop leading segments one by one.
        left = text.split("://", 1)[1]
        while "/" in left:
            left = left.split("/", 1)[1]
            yield left


def _decode(text):
    text = _unquote(text).replace("-", "+").replace("_", "/")
    # A "+" of the query may have been decoded to a blank; other white space is a mail's line end.
    text = "".join(text.replace(" ", "+").split()).rstrip("=")
    if not text:
        raise DeeplinkError("not base64" + _CUT)
    try:
        data = binascii.a2b_base64((text + "=" * (-len(text) % 4)).encode())
        # MicroPython's decoder skips what is not in the alphabet: compare with the way back.
        if binascii.b2a_base64(data).strip().rstrip(b"=")[:-1] != text.encode()[:-1]:
            raise ValueError
    except ValueError:
        raise DeeplinkError("not base64" + _CUT) from None
    try:
        return data.decode("utf-8")
    except UnicodeError:
        raise DeeplinkError("not UTF-8 inside" + _CUT) from None


def _json_fields(text):
    try:
        found = loads(text)
        values = []
        for name in _FIELDS:
            name = "support_" + name if len(values) > 2 else name
            values.append(str(found.get(name) or ""))
        return values
    except ValueError:
        raise DeeplinkError("its JSON is malformed" + _NEW) from None


def _fields(text):
    if text.startswith("{"):
        return _json_fields(text)
    parts = text.split("\\;") if "\\;" in text else text.split(";")
    if len(parts) < 3:
        raise DeeplinkError("too few fields: %d of at least 3" % len(parts) + _NEW)
    if len(parts) > 7:
        # A separator inside the helpdesk's name looks like any other.
        parts = parts[:3] + [";".join(parts[3:-3])] + parts[-3:]
    return parts + [""] * (7 - len(parts))


def parse(text):
    """Reads an invitation's deeplink (str or bytes, at most 2 KiB) and returns an Invitation.

    Accepts `<url>?data=<base64>`, `flyve://register?data=<base64>`, `<url>/<base64>` and the bare
    base64, in the standard or the URL-safe alphabet, padded or not; the fields are joined by `\\;`
    (the real backend), by `;` (its documentation) or are a JSON object (before 2017-07-19).
    Raises DeeplinkError.
    """
    if isinstance(text, (bytes, bytearray)):
        try:
            text = bytes(text).decode()
        except UnicodeError:
            raise DeeplinkError("not text: provision the deeplink again") from None
    text = text.strip()
    if not text:
        raise DeeplinkError("empty: provision a deeplink")
    if len(text) > LIMIT:
        raise DeeplinkError("longer than %d characters" % LIMIT + _NEW)
    failure = None
    decoded = None
    for candidate in _payload(text):
        try:
            found = _decode(candidate).strip()
        except DeeplinkError as e:
            failure = failure or e
            continue
        if found.startswith("http") or found.startswith("{"):
            decoded = found
            break
        decoded = decoded or found
    if decoded is None:
        raise failure or DeeplinkError("no invitation in it; copy the whole link")
    fields = [f.strip() for f in _fields(decoded)]
    if not (fields[0].startswith("http://") or fields[0].startswith("https://")):
        raise DeeplinkError("its URL is not http(s)" + _NEW)
    for name, value in zip(_FIELDS[1:3], fields[1:]):
        if not value or "\\" in value:
            raise DeeplinkError("no whole %s in it" % name + _CUT)
    fields[0] = fields[0].rstrip("/")
    if not (fields[0] + "//").split("/")[2]:
        raise DeeplinkError("its URL has no host" + _NEW)
    return Invitation(*fields)
