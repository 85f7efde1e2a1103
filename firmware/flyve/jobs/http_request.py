"""A request of HTTP/1, taken piece by piece as it comes in; each part of it is bounded."""

from micropython import const

from flyve import log

_FIRST_MS = const(3000)  # until the first byte,
_WAITED_MS = const(300)  # or so long while others wait
_REQUEST_MS = const(5000)  # until the request is whole
_LINE = const(12288)  # bytes of the request line: the longest link of an invitation has 10 KiB
_KEPT = const(256)  # bytes that are looked at of a header line
_HEADERS = const(16384)  # bytes of all header lines
_LINES = const(64)
BODY = const(14336)
_BLANKS = const(4)  # bytes of line ends before a request


def read(server, client):
    """What came: [method, target, host, body], or a status when it gets no other answer; None
    when nothing came. Yields when it waits."""
    request = Request()
    begun = log.uptime()
    try:
        whole = False
        while not whole:
            n = client.readinto(server.buf)
            if n:
                whole = request.take(bytes(memoryview(server.buf)[:n]))
                if server.over():
                    yield
            elif n is not None:
                return None  # it is closed
            else:
                age = log.uptime() - begun
                if request.begun:
                    if age > _REQUEST_MS:
                        return 408
                elif age > _FIRST_MS or age > _WAITED_MS and server.others():
                    return None
                yield
    except Refused as e:
        return e.status
    except MemoryError:
        return 503
    return [request.method, request.target, request.host, request.body]


class Refused(Exception):
    """The request gets no other answer than this status."""

    def __init__(self, status):
        super().__init__(status)
        self.status = status


class Request:
    """What came, once take() has returned True: method, target (bytes), host (text in lower case,
    without its port) and body (bytes)."""

    def __init__(self):
        self.method = ""
        self.target = b""
        self.host = ""
        self.body = b""
        self.begun = False  # something has come
        self._line = bytearray()
        self._bytes = self._lines = self._size = 0
        self._named = False  # there was a Host,
        self._absolute = False  # or it was in the request line, which counts
        self._length = None
        self._in_body = False

    def take(self, data):
        """Takes what came next, bytes; True when the request is whole. Raises Refused."""
        self.begun = True
        at = 0
        while not self._in_body:
            end = data.find(b"\n", at)
            self._gather(data[at:] if end < 0 else data[at:end])
            if end < 0:
                return False
            line = self._line
            if line[-1:] == b"\r":
                line = line[:-1]
            self._line = bytearray()
            at = end + 1
            self._take_line(bytes(line))
        if self._size < len(self.body):
            data = data[at : at + len(self.body) - self._size]
            self.body[self._size : self._size + len(data)] = data
            self._size += len(data)
        return self._size == len(self.body)

    def _gather(self, piece):
        """Adds to the line at hand."""
        if not self.method:
            if len(self._line) + len(piece) > _LINE:
                raise Refused(414)
        else:
            self._bytes += len(piece) + 1
            if self._bytes > _HEADERS:
                raise Refused(431)
            piece = piece[: max(0, _KEPT - len(self._line))]
        self._line += piece

    def _take_line(self, line):
        if not self.method:
            if line:
                self._begin(line)
                return
            self._bytes += 2
            if self._bytes > _BLANKS:
                raise Refused(400)
        elif line:
            self._lines += 1
            if self._lines > _LINES:
                raise Refused(431)
            self._header(line)
        else:
            if not self._named:
                raise Refused(400)
            if self.method == "POST" and self._length is None:
                raise Refused(411)
            self.body = bytearray(self._length or 0)
            self._in_body = True

    def _begin(self, line):
        """The request line."""
        parts = line.split(b" ")
        if len(parts) != 3:
            raise Refused(400)
        method, target, version = parts
        if version not in (b"HTTP/1.1", b"HTTP/1.0"):
            raise Refused(505 if version[:5] == b"HTTP/" else 400)
        if method not in (b"GET", b"HEAD", b"POST"):
            raise Refused(405)
        low = target[:7].lower()
        if low == b"http://":
            # As a proxy is asked.
            host, _, path = target[7:].partition(b"/")
            self._name(host)
            self._absolute = True
            target = b"/" + path
        if target[:1] != b"/" or min(target) < 0x21 or 0x7F in target:
            raise Refused(400)
        self._bytes = 0
        self.target = target
        self.method = method.decode()

    def _name(self, host):
        host = host.split(b":")[0].strip().lower()
        for c in host:
            if not (0x61 <= c <= 0x7A or 0x30 <= c <= 0x39 or c in b".-_"):
                raise Refused(400)
        self.host = host.decode()
        self._named = True

    def _header(self, line):
        name, colon, value = line.partition(b":")
        if not colon or not name or min(name) < 0x21 or max(name) > 0x7E:
            raise Refused(400)
        name = name.lower()
        if name == b"host":
            if not self._absolute:
                if self._named:
                    raise Refused(400)
                self._name(value)
        elif name == b"transfer-encoding":
            raise Refused(411)
        elif name == b"content-length":
            value = value.strip()
            if not value or not value.isdigit() or self._length is not None:
                raise Refused(400)
            if len(value) > 6 or int(value) > BODY:
                raise Refused(413)
            self._length = int(value)
