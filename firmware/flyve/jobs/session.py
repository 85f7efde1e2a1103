"""A session of GLPI's REST API as the servers open it: its token, and the cookies that they want
to see again."""

from micropython import const

from flyve import log
from flyve.jobs import body, rest_error

_COOKIES = const(8)  # that are kept of a session
_COOKIE_BYTES = const(1024)


def opened(api, answer):
    """Takes the token in the answer of initSession, which it closes. Raises RestError and
    NetError."""
    try:
        rest_error.check_coding(answer)
        found = token(answer)
        if found == "":
            raise rest_error.unreadable(answer[0])
        if found is None:
            raise rest_error.RestError(200, "NO_SESSION", "the server opened no session")
    finally:
        answer[2].close()
    api["session"]["token"] = found
    log.secret("session", found)


def token(answer):
    """The token in the answer of initSession. Not by jsonpick, for a session is opened again in
    the middle of any job, where memory is short; nothing of GLPI's needs an escape in it. None
    when there is none, "" when the answer is no JSON."""
    text = body.text(answer)
    at = text.find(b'"session_token"')
    begin = text.rfind(b"{", 0, max(at, 0))
    if at < 0 or begin < 0:
        return None if b"{" in text and b"<html" not in text.lower() else ""
    if begin:
        shown = "".join([chr(c) for c in text[: min(begin, 80)].strip() if 32 <= c < 127])
        log.warn("rest", "passed over %d bytes before the JSON: %s", begin, shown)
    parts = text[at + 15 :].split(b'"', 2)
    found = parts[1] if len(parts) > 2 and parts[0].strip() == b":" else b""
    # It becomes a header, and part of an address.
    if not found or min(found) <= 0x20 or max(found) >= 0x7F:
        return None
    return found.decode()


def keep(kept, cookie):
    """Keeps a cookie of a Set-Cookie header as long as the session; never logs it."""
    pair, _, how = cookie.partition(b";")
    name, _, value = pair.partition(b"=")
    name = name.strip()
    value = value.strip()
    kept.pop(name, None)
    if not name or not value or _deleted(how):
        return
    size = len(name) + len(value) + sum([len(n) + len(kept[n]) for n in kept])
    if len(kept) < _COOKIES and size <= _COOKIE_BYTES and min(name + value) >= 0x20:
        kept[name] = value
    else:
        log.warn("rest", "a cookie of the server does not go back: there are too many")


def _deleted(how):
    """True when the attributes of a cookie say that it is over."""
    over = False
    for one in how.lower().split(b";"):
        key, _, value = one.strip().partition(b"=")
        value = value.strip()
        key = key.strip()
        if key == b"max-age":
            return value[:1] == b"-" or value.strip(b"0") == b""
        if key == b"expires":
            # In the last century: another time would need a clock that is right.
            for part in value.replace(b"-", b" ").split():
                over = over or len(part) == 4 and part[:2] == b"19"
    return over
