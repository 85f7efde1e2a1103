"""HTTP for one connection at a time, in slices: nothing here waits.

A phone opens connections that it does not use, and holds them: one that has said nothing gives way
to the next.
"""

import socket

from micropython import const

from flyve import log, memory

_FIRST_MS = const(3000)  # until the first byte,
_WAITED_MS = const(300)  # or so long while others wait
_REQUEST_MS = const(5000)  # until the request is whole
_ANSWER_MS = const(10000)  # until the answer is sent
_DRAIN_MS = const(1000)  # for what a refused one still sends: else it loses the answer
_SLICE_MS = const(60)  # of work in one step
_PIECE = const(512)
_QUEUE = const(5)
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


def reason(status):
    """The name of a status, as far as somebody reads it."""
    for code, text in _REASONS:
        if code == status:
            return text
    return "Refused"


def _head(status, kind, policy, location):
    head = _HEAD % (status, reason(status).encode(), kind, policy)
    if location:
        head += b"Location: " + location + b"\r\n"
    if status == 405:
        head += b"Allow: GET, HEAD, POST\r\n"
    return head + b"\r\n"


class Server:
    """answer([method, target, host, body]) returns (status, location, pieces): where a redirect
    leads (bytes) or None, and an iterator of bytes, the page's policy and the page, or None.
    address: the board's own; who is not in the same /24 gets nothing. Call step() often; it
    raises nothing but in the constructor. buf is free between two steps."""

    def __init__(self, answer, address, port=80):
        self._answer = answer
        self._near = address[: address.rfind(".") + 1]
        self._serving = None
        self._client = None
        self._next = None  # one that waits, accepted already
        self.buf = bytearray(_PIECE)
        self._until = 0  # the end of the slice at hand
        self._s = socket.socket()
        try:
            self._s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._s.bind(socket.getaddrinfo(address, port)[0][-1])
            self._s.listen(_QUEUE)
            self._s.setblocking(False)
        except OSError:
            self.close()
            raise

    def step(self):
        """Goes on with the connection at hand, and takes the next."""
        self._until = log.uptime() + _SLICE_MS
        while not self._over():
            if self._serving is None:
                client = self._take()
                if client is None:
                    return
                self._client = client
                self._serving = self._serve(client)
            try:
                next(self._serving)
                return  # it waits, or its slice is over
            except StopIteration:
                pass
            except OSError as e:
                log.debug("setup", "a phone went away: %s", e)
            except Exception as e:
                log.warn("setup", "a request was given up: %r", e)
            self._serving = None
            self._client.close()

    def _over(self):
        return log.uptime() >= self._until

    def _take(self):
        """The next connection, None when there is none."""
        client, self._next = self._next, None
        for _ in range(_QUEUE):
            if client is not None:
                break
            try:
                client, peer = self._s.accept()
                client.setblocking(False)
            except OSError:
                return None
            # The station's network leads here, too: the stack looks at no interface.
            if peer[0][: len(self._near)] != self._near:
                client.close()
                client = None
        return client

    def _serve(self, client):
        """One connection, from its request to the end of the answer; yields when it waits."""
        request = yield from self._take_in(client)
        memory.drop("http_request")
        if request:
            status = request if isinstance(request, int) else 0
            yield from self._say(client, status, request)
            if status:
                yield from self._drain(client)

    def _take_in(self, client):
        """What came: [method, target, host, body], or a status when it gets no other answer; None
        when nothing came."""
        from flyve.jobs import http_request

        request = http_request.Request()
        begun = log.uptime()
        try:
            whole = False
            while not whole:
                n = client.readinto(self.buf)
                if n:
                    whole = request.take(bytes(memoryview(self.buf)[:n]))
                    if self._over():
                        yield
                elif n is not None:
                    return None  # it is closed
                else:
                    age = log.uptime() - begun
                    if request.begun:
                        if age > _REQUEST_MS:
                            return 408
                    elif age > _FIRST_MS or age > _WAITED_MS and self._others():
                        return None
                    yield
        except http_request.Refused as e:
            return e.status
        except MemoryError:
            return 503
        return [request.method, request.target, request.host, request.body]

    def _others(self):
        if self._next is None:
            self._next = self._take()
        return self._next is not None

    def _say(self, client, status, request):
        """Sends the answer: with a status, that this is the matter."""
        until = log.uptime() + _ANSWER_MS
        kind, policy, location, pieces = b"plain", _NOTHING, None, None
        head = False
        if not status:
            head = request[0] == "HEAD"
            try:
                status, location, pieces = self._answer(request)
                if pieces is not None:
                    kind, policy = b"html", next(pieces)
            except Exception as e:
                log.error("setup", "a request failed: %r", e)
                status = 503 if isinstance(e, MemoryError) else 500
        if kind == b"plain":
            pieces = (("%d %s\n" % (status, reason(status))).encode(),)
        yield from self._write(client, _head(status, kind, policy, location), until)
        if not head:
            for piece in pieces:
                yield from self._write(client, piece, until)
                if self._over():
                    yield

    def _write(self, client, data, until):
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

    def _drain(self, client):
        until = log.uptime() + _DRAIN_MS
        while log.uptime() < until:
            n = client.readinto(self.buf)
            if n is None:
                if self._others():
                    return
                yield
            elif not n:
                return
            elif self._over():
                yield

    def close(self):
        """Closes all; may be repeated."""
        self._serving = None
        for s in (self._client, self._next, self._s):
            if s:
                s.close()
        self._client = self._next = None
