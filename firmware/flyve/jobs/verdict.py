"""What an answer means that is not as wished: GLPI's own verdict, or trouble on the way to it.

Only `["ERROR_...", text]` is GLPI's; whatever else comes is from a gateway, a firewall or a broken
server before or behind it, and says nothing about what was asked for.
"""

import time

from micropython import const

from flyve.jobs import body, texts

_SOONEST = const(1000)  # ms, of Retry-After
_LATEST = const(900000)
_TRIES = const(8)  # brackets with which the JSON may begin
_URL = const("no GLPI API at this URL: check the API's URL in the plugin's settings")
# What a status means when it is not GLPI's.
_LOGIN = const("a gateway before GLPI wants a login of its own: let the API's URL pass there")
_WALL = const("a gateway or firewall before GLPI refuses this: let the API's URL pass there")
_OLDER = const("the server takes no HTTP/1.0: allow it for the API's URL")
_HEAD = const("a gateway before GLPI takes no request that long: set token_in to header")
_MEANINGS = {
    401: _LOGIN,
    403: _WALL,
    407: _LOGIN,
    408: "a gateway before GLPI did not wait for the whole request",
    413: "a gateway before GLPI takes no body that long: raise its limit (nginx: "
    "client_max_body_size)",
    414: _HEAD,
    426: _OLDER,
    429: "a gateway before GLPI takes no more requests for now: raise its limit",
    431: _HEAD,
    500: "the web server or PHP failed: see its error log",
    502: "the server behind the gateway is down: see the gateway's log",
    503: "the server is overloaded or under maintenance",
    504: "the server behind the gateway does not answer in time",
    505: _OLDER,
    507: "the server's disk is full",
    511: _LOGIN,
}  # fmt: skip


def meaning(status):
    """What a status means that something else than GLPI has sent."""
    if 520 <= status < 531:
        status = 504 if status in (522, 524) else 502  # a gateway's own codes
    text = _MEANINGS.get(status)
    if not text and 400 < status < 500 and status not in (404, 405, 410):
        text = _WALL
    if not text:
        text = _URL if status < 500 else "the server failed: see its error log"
        if status < 300:
            text += ", unless the site is under maintenance"
    return text


def coding(found):
    """None when the headers found say that the body is plain, as it must be; else as judge()."""
    from flyve.jobs import headers

    how = headers.coding(found)
    if how:
        how = "in chunks" if how == "chunked" else "as " + how
        text = "the answer comes %s, which nobody asked for: switch that off for the API's URL"
        return "NOT_PLAIN", text % how, None, _wait(found)


def page(text):
    """True when the text begins as a web page does."""
    text = text[:96].lstrip().lower()
    return b"<!doctype" in text or b"<html" in text or text[:5] == b"<?xml"


def _value(text):
    """The JSON value in the text, whatever PHP has put before or behind it. Raises ValueError."""
    if text.count(b"[") + text.count(b"{") > 32:
        raise ValueError("too many brackets")  # each takes a lot of memory
    tried = 0
    for at in range(len(text) if page(text) else 0, len(text)):
        if text[at] in b"[{" and tried < _TRIES:
            tried += 1
            end = len(text)
            # GLPI's pair may have brackets behind it that are not its own.
            for _ in range(_TRIES if text[at + 1 : at + 16].lstrip()[:6] == b'"ERROR' else 1):
                end = text.rfind(b"]" if text[at] == 0x5B else b"}", at, end)
                try:
                    return texts.loads(text[at : end + 1])
                except ValueError:
                    pass
    raise ValueError("syntax error")


def judge(answer):
    """(code, message, value, ms) of an answer whose body is not read yet: GLPI's pair, or a code
    that begins with NO or BAD, and what to do; the body's value when it is JSON, else None; the
    wait that the server asks for, or 0."""
    status, headers, _ = answer
    found = coding(headers)
    if found:
        return found
    text = body.text(answer)
    value = None
    code = "NOT_GLPI"
    message = meaning(status)
    if not text.strip():
        code = "NO_BODY"
    else:
        try:
            value = _value(text)
        except ValueError as e:
            code = "NOT_JSON"
            if text.lstrip()[:1] in [b"{", b"["]:
                code = "BAD_JSON"
                message = str(e)
    if (
        isinstance(value, list)
        and len(value) == 2
        and (value[0] == "ERROR" or str(value[0])[:6] == "ERROR_")
        and isinstance(value[1], (str, list))  # a list tells of each item
    ):
        code = value[0]
        message = str(value[1] or "").split("; view documentation")[0]
        headers = {}
    return code, message, value, _wait(headers)


def noticed(answer):
    """None when the body of a good answer, whose type is not JSON, is empty or what PHP notices;
    else as judge()."""
    text = body.text(answer)
    if text.strip() and (page(text) or b" on line " not in text):
        return "NOT_JSON", meaning(answer[0]), None, 0


def _wait(headers):
    """The milliseconds that Retry-After asks for, within bounds; 0 when it does not."""
    text = headers.get("retry-after", "")
    seconds = text.split(".")[0].strip()
    if seconds.isdigit():
        ms = int(seconds[:9]) * 1000
    else:
        from flyve.jobs.headers import instant

        then = instant(text)
        if then is None:
            return 0
        # By the server's own clock, if it tells it.
        now = instant(headers.get("date", ""))
        if now is None:
            now = instant("1 Jan %d 0:0:0" % time.gmtime(0)[0]) + time.time()
        ms = int(then - now) * 1000
    return max(_SOONEST, min(_LATEST, ms))
