"""HTTP for one connection at a time, in slices: nothing here waits.

A phone opens connections that it does not use, and holds them: one that has said nothing gives way
to the next. What reads a request and what sends the answer are in memory one after the other.
"""

import socket

from micropython import const

from flyve import log, memory

_SLICE_MS = const(60)  # of work in one step
_BUFFER = const(512)
_QUEUE = const(5)


class Server:
    """answer([method, target, host, body]) returns (status, location, pieces), see
    http_response.py. address: the board's own; who is not in the same /24 gets nothing. Call
    step() often; it raises nothing but in the constructor. buf is free between two steps. Between
    two connections `answering` is False for a turn, however many wait."""

    def __init__(self, answer, address, port=80):
        self._answer = answer
        self._near = address[: address.rfind(".") + 1]
        self._serving = None
        self._client = None
        self._next = None  # one that waits, accepted already
        self.answering = False  # what answers is in memory
        self.buf = bytearray(_BUFFER)
        self._until = 0  # the end of the slice at hand
        self._s = socket.socket()
        try:
            self._s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._s.bind(socket.getaddrinfo(address, port)[0][-1])
            self._s.listen(_QUEUE)
            self._s.setblocking(False)
        except BaseException:
            self.close()
            raise

    def step(self):
        """Goes on with the connection at hand, or takes the next."""
        self._until = log.uptime() + _SLICE_MS
        try:
            if self._serving is None:
                self._client = self._take()
                if self._client is None:
                    return
                self._serving = self._serve(self._client)
            next(self._serving)
            return  # it waits, or its slice is over
        except StopIteration:
            pass
        except OSError as e:
            log.debug("setup", "a phone went away: %s", e)
        except Exception as e:
            log.warn("setup", "a request was given up: %r", e)
        self._end()

    def over(self):
        """True when the slice is at its end."""
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

    def others(self):
        """True while another connection waits."""
        if self._next is None:
            self._next = self._take()
        return self._next is not None

    def _serve(self, client):
        """One connection, from its request to the end of the answer; yields when it waits."""
        from flyve.jobs import http_request

        request = yield from http_request.read(self, client)
        http_request = None
        memory.drop("http_request")
        if not request:
            return
        self.answering = True
        location = pieces = None
        status = request
        if not isinstance(request, int):
            try:
                status, location, pieces = self._answer(request)
            except Exception as e:
                status = self.failed(e)
        from flyve.jobs import http_response

        yield from http_response.send(self, client, request, status, location, pieces)

    def failed(self, e):
        """Tells of what no answer expects; returns its status."""
        log.error("setup", "a request failed: %r", e)
        return 503 if isinstance(e, MemoryError) else 500

    def _end(self):
        """Ends the connection at hand, wherever it is."""
        serving, self._serving = self._serving, None
        client, self._client = self._client, None
        self.answering = False
        try:
            if serving:
                serving.close()
            serving = None
            memory.drop("http_request", "http_response")
        except Exception:
            pass  # not even for that is there the memory: the next one drops them
        if client:
            client.close()

    def close(self):
        """Closes all; may be repeated."""
        self._end()
        for s in (self._next, self._s):
            if s:
                s.close()
        self._next = None
