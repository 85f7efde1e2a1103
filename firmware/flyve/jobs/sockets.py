"""`usocket` and `ussl` for urequests and umqtt.simple: each exchange has one connection, to one
host, within a deadline. What is left of it when they are gone is a transport.Stream.

The functions carry the names and the signatures that those libraries call.
"""

import socket as _socket
import sys
import time

from micropython import const

from flyve import log, memory, transport

SOCK_STREAM = _socket.SOCK_STREAM

_LINE = const(256)  # bytes that are kept of a header line
_HEADERS = const(16384)  # bytes of all header lines of one answer

_current = None
_me = (sys.modules[__name__],)  # not its bare name: memory.py would see a user in itself


class Exchange:
    """Allows the libraries one connection, to that host, for at most ms milliseconds in all; to
    them it is the socket.

    With `with`, the connection is closed on the way out; `detach` keeps it open."""

    stream = None
    taken = _moved = _unproven = False
    _headers = 0

    def __init__(self, host, ms):
        self.host = host
        self._until = log.uptime() + ms

    def __enter__(self):
        global _current
        self._outer = _current
        _current = self
        # The libraries take their sockets by these names, ussl in the middle of the exchange.
        sys.modules["usocket"] = sys.modules["ussl"] = _me[0]
        return self

    def __exit__(self, *exc):
        global _current
        _current = self._outer
        self.close()

    def detach(self):
        """The transport.Stream, which now stays open after the exchange."""
        stream = self.stream
        self.stream = None
        return stream

    def connect(self, address):
        """Connects until the deadline, to the first of the name's addresses that lets us."""
        try:
            from flyve.jobs import net_connect

            self.stream = net_connect.connect(*address, self._until)
        finally:
            net_connect = None
            memory.drop("net_connect", "oserror")  # what follows needs the memory

    def start_tls(self):
        """Continues in TLS; no byte of ours is sent before the peer is verified."""
        plain = self.stream
        trust = transport.trust
        s = None
        if trust.get("context") and time.time() >= transport.clock["floor"]:
            try:
                wrap = trust["context"].wrap_socket
                s = wrap(plain.s, server_hostname=plain.host, do_handshake_on_connect=False)
            except (ValueError, OSError):
                pass  # secure() tells what it means
        if s is None:
            s = _secure(plain, trust)
        self.stream = transport.Stream(s, plain.s, plain.host, plain.address, plain.until)
        self._unproven = trust["verify"]
        return self

    def _flush(self):
        self.stream.flush()
        if self._unproven:
            # The first bytes went through: so the handshake, which verifies, is over.
            self._unproven = False
            if transport.clock["sure"]:
                transport.clock["proven"] = int(time.time())

    def read(self, size):
        """Reads size bytes, fewer only at the end of the stream."""
        self._flush()
        from flyve.jobs import body

        return body.read(self.stream, size)

    def readline(self):
        """Reads one header line; a long one loses its middle, endless ones are refused."""
        self._flush()
        line = bytearray(_LINE)
        view = memoryview(line)
        got = 0
        while self.stream.readinto(view[got : got + 1]):
            self._headers += 1
            if self._headers > _HEADERS:
                raise transport.NetError("limit", "endless headers from " + self.host)
            if line[got] == 10:
                got += 1
                break
            if got < _LINE - 2:
                got += 1
        line = bytes(view[:got])
        if line[:5] == b"HTTP/":
            self._moved = line[9:10] == b"3"
        elif line[:18] == b"Transfer-Encoding:":
            line = line.lower()  # the library would take it for no HTTP
        elif self._moved and line[:9].lower() == b"location:":
            # Not its query: a server that redirects repeats our tokens there.
            where = repr(line[9:].split(b"?")[0].strip())[2:-1]
            where = "the server sends us on to %s: correct the URL in GLPI" % where
            raise transport.NetError("moved", where)
        return line

    def write(self, data, size=None):
        """Gathers data, to be sent before the next read. data: bytes, str, or an object whose
        pieces() gives such, so that a long body need never be whole in RAM."""
        if hasattr(data, "pieces"):
            for piece in data.pieces():
                self.write(piece)
        else:
            if isinstance(data, str):
                data = data.encode()
            self.stream.write(data if size is None else memoryview(data)[:size])

    def close(self):
        """Closes the connection, if there is one; may be repeated."""
        if self.stream:
            self.stream.close()


def _secure(plain, trust):
    try:
        from flyve.jobs import tls_trust

        s, fault = tls_trust.secure(plain.s, plain.host, trust, transport.clock["floor"])
    finally:
        tls_trust = None
        memory.drop("tls_trust", "tls_context", "tls_error")
    if fault:
        raise transport.NetError(*fault)
    return s


def _refuse():
    raise transport.NetError("moved", "a second connection is refused")


def getaddrinfo(host, port, *_):
    """As socket.getaddrinfo, for the exchange's own host; connect() looks it up."""
    if _current.stream or host != _current.host:
        _refuse()
    return ((_socket.AF_INET, SOCK_STREAM, 0, "", (host, port)),)


def socket(*_):
    """As socket.socket: the exchange, once."""
    x = _current
    if x is None or x.taken:
        _refuse()
    x.taken = True
    return x


def wrap_socket(sock, **_):
    """As ssl.wrap_socket: verified, for the exchange's host."""
    return sock.start_tls()


# They are imported before there is an exchange.
sys.modules["usocket"] = sys.modules["ussl"] = _me[0]
