"""The only opener of sockets, with jobs/net_connect.py: a deadline on every operation, verified
TLS, one host.

The module stands in for `usocket` and `ussl` in urequests and umqtt.simple, so its functions
carry the names and the signatures that those libraries call. Sockets are non-blocking all their
life; "blocking" means waiting in poll slices until the total deadline of the exchange.
"""

import select
import socket as _socket
import sys
import time

from micropython import const

from flyve import board, log, memory

SOCK_STREAM = _socket.SOCK_STREAM
AF_INET = _socket.AF_INET

_SLICE = const(100)  # ms: how often a wait feeds the watchdog and calls the hook
_LINE = const(256)  # bytes that are kept of a header line
_HEADERS = const(16384)  # bytes of all header lines of one answer
_READ = const(4096)  # bytes that one read() may allocate
_OLD_S = const(172800)
_OUT = const(512)  # bytes that are gathered before they are sent
_IN = select.POLLIN
_OUTPUT = select.POLLOUT

hook = None  # called in each slice of a wait; must not wait itself
watch = None  # the same, also where the hook would meet itself; may raise to end the wait
floor = 0  # no true clock shows less (seconds of the board's epoch)
sure = False  # the clock's time is more than one server's word; see clock.py
proven = 0  # the newest such time at which a peer's certificate was verified
ca = None  # file of the trusted certificate(s), DER or PEM
verify = True

_current = None
_hooked = False
_sliced = 0
_context = None
_addresses = {}
doubted = []  # addresses that have given no byte since they were dialled, the newest last


class NetError(OSError):
    """A connection failed. kind: dns, connect, timeout, closed, tls, clock, moved, limit, memory
    (for one more TLS connection) or network (our own); of its subclasses mqtt and rest. status:
    HTTP's; code: GLPI's, or a number of MQTT's; after: milliseconds that the peer asks to wait."""

    status = code = after = 0

    def __init__(self, kind, text):
        super().__init__(text)
        self.kind = kind

    def refused(self, *_):
        """True when GLPI itself refuses, see jobs/rest.py."""
        return False


def configure(file, check):
    """Sets whom to trust: see ca and verify."""
    global ca, verify
    ca = file
    verify = check


def attend(pump, look):
    """Sets what each slice of a wait calls: see hook and watch."""
    global hook, watch
    hook = pump
    watch = look


def date(known, least):
    """Sets whether the clock is sure, and what it cannot be below: see sure and floor."""
    global sure, floor, proven
    sure = known
    if least < floor:
        proven = 0
    floor = least


def floor_is_old():
    """True when a certificate was verified days after the time that the clock cannot be below."""
    return proven > floor + _OLD_S


def slice_done(may_hook=True):
    """Feeds the watchdog and lets the hook run, at most once in each slice."""
    global _hooked, _sliced
    now = time.ticks_ms()
    # Ticks may have wrapped since: one slice more or less does no harm.
    if 0 <= time.ticks_diff(now, _sliced) < _SLICE:
        return
    _sliced = now
    board.feed()
    if watch:
        watch()
    if may_hook and hook and not _hooked:
        _hooked = True
        try:
            hook()
        finally:
            _hooked = False


class Exchange:
    """Allows the libraries one connection, to one host, for at most ms milliseconds in all.

    With `with`, the connection is closed on the way out; `detach` keeps it open (MQTT)."""

    def __init__(self, host, ms, tls=False):
        self.host = host
        self.tls = tls
        self.until = log.uptime() + ms
        self.sock = None
        self.found = None  # what the name stands for

    def __enter__(self):
        global _current
        self.outer = _current
        _current = self
        return self

    def __exit__(self, *exc):
        global _current
        _current = self.outer
        if self.sock:
            self.sock.close()

    def detach(self):
        """The socket, which now stays open after the exchange."""
        sock = self.sock
        self.sock = None
        return sock


def getaddrinfo(host, port, *_):
    """As socket.getaddrinfo, for the exchange's own host; the last good address when DNS fails."""
    x = _current
    if x.found or host != x.host:
        raise NetError("moved", "a second connection is refused")
    from flyve.jobs import net_connect

    found = net_connect.resolve(host, port, _addresses, doubted)
    if not found:
        raise NetError("dns", "no address for %s: check the name and the DNS" % host)
    x.found = found
    return found


def _tls_error(e):
    from flyve.jobs import tls_trust

    found = tls_trust.explain(e)
    tls_trust = None
    memory.drop("tls_trust")
    return NetError(*found)


class Socket:
    """A stream with the methods of a MicroPython socket that the libraries use."""

    def __init__(self, *_):
        x = _current
        if x is None or x.sock is not None:
            raise NetError("moved", "a second connection is refused")
        self._x = x
        self._s = None
        self.until = x.until
        self._blocking = True
        self._unproven = False  # a handshake is to verify the peer
        self._out = bytearray(_OUT)
        self._held = 0
        self._headers = 0
        self._moved = False
        self.received = log.uptime()  # when the last byte came
        x.sock = self

    def open(self, address, until):
        """Begins, or begins anew, to connect to this address, until then."""
        if self._s:
            self._s.close()
        self.address = address
        self.until = until
        try:
            self._s = self._raw = _socket.socket(AF_INET, SOCK_STREAM)
        except OSError as e:
            raise NetError("connect", "no socket is free (%s)" % log.reason(e)) from None
        self._s.setblocking(False)
        self._poll = None

    def extend(self, ms):
        """From now on the deadline is ms milliseconds away."""
        self.until = log.uptime() + ms

    def connect(self, address):
        """Connects until the deadline, to the first of the name's addresses that lets us; with
        TLS the handshake begins at the first write."""
        until = self.until
        try:
            from flyve.jobs import net_connect

            found = self._x.found or [(address,)]
            fault = net_connect.connect(self, found, self._x.host, doubted)
        finally:
            self.until = until
            net_connect = None
            memory.drop("net_connect")  # what follows needs the memory
        if fault:
            raise NetError(*fault)
        if self._x.tls:
            self.start_tls()

    def start_tls(self):
        """Continues in TLS; no byte of ours is sent before the peer is verified."""
        global _context
        if time.time() < floor:
            raise NetError("clock", "the clock is not set, so no certificate can be checked")
        try:
            if _context is None:
                from flyve.jobs import tls_trust

                _context = tls_trust.context(ca, verify)
                tls_trust = None
                memory.drop("tls_trust")
            self._s = _context.wrap_socket(
                self._s, server_hostname=self._x.host, do_handshake_on_connect=False
            )
        except (ValueError, OSError) as e:
            raise _tls_error(e) from None
        self._poll = None
        self._x.tls = True
        self._unproven = verify

    def _wait(self, events):
        poll = self._poll
        if poll is None:
            poll = self._poll = select.poll()
            poll.register(self._s, events)
        else:
            poll.modify(self._s, events)
        while True:
            left = self.until - log.uptime()
            for found in poll.ipoll(max(0, min(_SLICE, left))):
                return found[1]
            if left <= 0:
                raise NetError("timeout", "%s did not answer in time" % self._x.host)
            slice_done(self._blocking)

    def _failed(self, e):
        if isinstance(e, NetError):
            return e
        if isinstance(e, ValueError) or not (e.errno and 0 < e.errno < 1000):
            return _tls_error(e)
        begun = self._x.tls and self.address in doubted
        from flyve.jobs import oserror

        found = oserror.broken(e, self._x.host, begun)
        oserror = None
        memory.drop("oserror")
        return NetError(*found)

    def readinto(self, buf, size=None):
        """Reads what is there into buf, waiting for the first byte if blocking; returns the
        count, 0 at the end of the stream, None if not blocking and nothing is there."""
        self.flush()
        slice_done(self._blocking)
        while True:
            try:
                n = self._s.readinto(buf) if size is None else self._s.readinto(buf, size)
            except (OSError, ValueError) as e:
                raise self._failed(e) from None
            if n is not None:
                if n:
                    self.received = log.uptime()
                    if self.address in doubted:
                        doubted.remove(self.address)
                return n
            if not self._blocking:
                return None
            self._wait(_IN)

    def read(self, size=_READ):
        """Reads size bytes, fewer only at the end of the stream; None as readinto."""
        if size > _READ:
            raise NetError("limit", "a read of %d bytes is refused" % size)
        buf = bytearray(size)
        view = memoryview(buf)
        got = 0
        while got < size:
            n = self.readinto(view[got:])
            if n is None and got == 0:
                return None
            if n == 0:
                break
            if n is None:
                self._wait(_IN)
            else:
                got += n
        return bytes(view[:got])

    def readline(self):
        """Reads one header line; a long one loses its middle, endless ones are refused."""
        line = bytearray(_LINE)
        view = memoryview(line)
        got = 0
        while True:
            n = self.readinto(view[got : got + 1])
            if n == 0:
                break
            self._headers += 1
            if self._headers > _HEADERS:
                raise NetError("limit", "endless headers from %s" % self._x.host)
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
            from flyve.jobs import net_connect

            found = net_connect.moved(line)
            net_connect = None
            memory.drop("net_connect")
            raise NetError(*found)
        return line

    def write(self, data, size=None):
        """Gathers data, to be sent in one piece before the next read. data: bytes, str, or an
        object whose pieces() gives such, so that a long body need never be whole in RAM."""
        if hasattr(data, "pieces"):
            for piece in data.pieces():
                self.write(piece)
            return len(data)
        if isinstance(data, str):
            data = data.encode()
        size = len(data) if size is None else size
        if self._held + size > _OUT:
            self.flush()
        if size > _OUT:
            self._send(memoryview(data)[:size])
        else:
            self._out[self._held : self._held + size] = (
                data if size == len(data) else memoryview(data)[:size]
            )
            self._held += size
        return size

    def flush(self):
        """Sends what was gathered."""
        if self._held:
            view = memoryview(self._out)[: self._held]
            self._held = 0
            self._send(view)

    def _send(self, view):
        while view:
            try:
                n = self._s.write(view)
            except (OSError, ValueError) as e:
                raise self._failed(e) from None
            if n:
                view = view[n:]
                if self._unproven:
                    self._proved()
            else:
                self._wait(_OUTPUT)

    def _proved(self):
        # The first byte went through: so the handshake, which verifies, is over.
        global proven
        self._unproven = False
        if sure:
            proven = int(time.time())

    def setblocking(self, flag):
        """True: wait until the deadline, on every port; False: do not wait, and never call the
        hook: it uses this socket itself."""
        self._blocking = bool(flag)

    def poll_in(self, ms):
        """True when something can be read within ms milliseconds."""
        until = self.until
        try:
            self.extend(ms)
            self._wait(_IN)
            return True
        except NetError as e:
            if e.kind != "timeout":
                raise
            return False
        finally:
            self.until = until

    def close(self):
        """Sends what is left, if that works at once, and closes; may be repeated."""
        s = self._s
        if s is None:
            return
        try:
            self.extend(0)
            self.flush()
        except OSError:
            pass
        finally:
            self._s = self._poll = None
            s.close()
            self._raw.close()  # a TLS stream whose handshake failed lets go of it, still open


socket = Socket
# The libraries take their sockets by these names.
sys.modules["usocket"] = sys.modules["ussl"] = sys.modules[__name__]


def wrap_socket(sock, **_):
    """As ssl.wrap_socket: verified, for the exchange's host."""
    if not sock._x.tls:
        sock.start_tls()
    return sock
