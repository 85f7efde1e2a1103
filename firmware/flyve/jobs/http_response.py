"""The answer to a request of HTTP/1, in pieces: what the other side does not take yet waits."""

from micropython import const

from flyve import log

_ANSWER_MS = const(10000)  # until the answer is sent
_DRAIN_MS = const(1000)  # for what a refused one still sends: else it loses the answer
_REASONS = const((
    (200, "OK"), (302, "Found"), (303, "See Other"), (404, "Not Found"),
    (422, "Unprocessable Content"),
))  # fmt: skip
_HEAD = const(
    b"HTTP/1.1 %d %s\r\nContent-Type: text/%s; charset=utf-8\r\nCache-Control: no-store\r\n"
    b"Connection: close\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
    b"Content-Security-Policy: %s\r\n"
)
_NOTHING = const(b"default-src 'none'")


def send(server, client, request, status, location, pieces):
    """Sends it; yields when it waits. request: [method, ...], or the status when there is none
    that could be read; location: where a redirect leads (bytes), or None; pieces: a generator of
    bytes, the page's policy and the page, or None: then the answer is the status."""
    until = log.uptime() + _ANSWER_MS
    try:
        policy = None
        if pieces is not None:
            try:
                policy = next(pieces)
            except Exception as e:
                status = server.failed(e)
        text = "%d %s\n" % (status, _reason(status))
        yield from _write(client, _head(status, policy, location), until)
        if request == status or request[0] != "HEAD":
            for piece in (text.encode(),) if policy is None else pieces:
                yield from _write(client, piece, until)
                if server.over():
                    yield
        if request == status:
            yield from _drained(server, client)
    finally:
        if pieces is not None:
            pieces.close()


def _reason(status):
    """The name of a status, as far as somebody reads it."""
    for code, text in _REASONS:
        if code == status:
            return text
    return "Refused"


def _head(status, policy, location):
    kind = b"html" if policy else b"plain"
    head = _HEAD % (status, _reason(status).encode(), kind, policy or _NOTHING)
    if location:
        head += b"Location: " + location + b"\r\n"
    if status == 405:
        head += b"Allow: GET, HEAD, POST\r\n"
    return head + b"\r\n"


def _write(client, data, until):
    view = memoryview(data)
    at = 0
    while at < len(view):
        n = client.write(view[at:])
        if n:
            at += n
        elif log.uptime() > until:
            raise OSError(110)  # ETIMEDOUT
        else:
            yield


def _drained(server, client):
    until = log.uptime() + _DRAIN_MS
    while log.uptime() < until:
        n = client.readinto(server.buf)
        if n is None:
            if server.others():
                return
            yield
        elif not n:
            return
        elif server.over():
            yield
