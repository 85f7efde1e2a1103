"""An open connection: a deadline on every operation, and what happens while one waits.

A socket is non-blocking all its life; "blocking" means waiting in poll slices until the deadline.
jobs/net_connect.py opens it, jobs/sockets.py shows it to urequests and umqtt.simple.
"""

import select
import time

from micropython import const

from flyve import board, log, memory

_SLICE = const(100)  # ms: how often a wait feeds the watchdog and calls the hook
_OUT = const(512)  # bytes that are gathered before they are sent
_IN = select.POLLIN

hook = None  # called in each slice of a wait; must not wait itself
watch = None  # the same, also where the hook would meet itself; may raise to end the wait
# No true clock shows less than the floor (seconds of the board's epoch). sure: the clock's time is
# more than one server's word, see clock.py; proven: the newest such time at which a peer's
# certificate was verified.
clock = {"floor": 0, "sure": False, "proven": 0}
# ca: file of the trusted certificate(s), DER or PEM; verify; context, once there is one.
trust = {}
addresses = {}  # "host:port" -> those that getaddrinfo() has told
doubted = []  # addresses that have given no byte since they were dialled, the newest last

_hooked = False
_sliced = 0


class NetError(OSError):
    """A connection failed. kind: dns, connect, timeout, closed, tls, clock, moved, limit, memory
    (for one more TLS connection) or network (our own); of its subclasses mqtt and rest. status:
    HTTP's; code: GLPI's, or a number of MQTT's; after: milliseconds that the peer asks to wait."""

    status = after = 0

    def __init__(self, kind, text, code=0):
        super().__init__(text)
        self.kind = kind
        self.code = code

    def refused(self, *_):
        """True when GLPI itself refuses, see jobs/rest_error.py."""
        return False


def attend(pump, look):
    """Sets what each slice of a wait calls: see hook and watch."""
    global hook, watch
    hook = pump
    watch = look


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


class Stream:
    """An open socket of that host, at the address. raw: what is to be closed, too: the socket
    below a TLS stream whose handshake failed is left open by it."""

    _blocking = True
    _out = _poll = None
    _held = 0

    def __init__(self, s, raw, host, address, until):
        self.s = s
        self.raw = raw
        self.host = host
        self.address = address
        self.until = until
        self.received = log.uptime()  # when the last byte came

    def extend(self, ms):
        """From now on the deadline is ms milliseconds away."""
        self.until = log.uptime() + ms

    def wait(self, events):
        """Waits for poll events until the deadline; returns those that have come."""
        poll = self._poll
        if poll is None:
            poll = self._poll = select.poll()
        poll.register(self.s, events)
        while True:
            left = self.until - log.uptime()
            for found in poll.ipoll(max(0, min(_SLICE, left))):
                return found[1]
            if left <= 0:
                raise NetError("timeout", "%s did not answer in time" % self.host)
            slice_done(self._blocking)

    def _failed(self, e):
        from flyve.jobs import oserror

        begun = self.s is not self.raw and self.address in doubted
        found = oserror.broken(e, self.host, begun)
        oserror = None
        memory.drop("oserror", "tls_error")
        return NetError(*found)

    def readinto(self, buf):
        """Reads what is there into buf, waiting for the first byte if blocking; returns the
        count, 0 at the end of the stream, None if not blocking and nothing is there."""
        self.flush()
        slice_done(self._blocking)
        while True:
            try:
                n = self.s.readinto(buf)
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
            self.wait(_IN)

    def write(self, data):
        """Gathers bytes, to be sent in one piece before the next read."""
        size = len(data)
        if self._held + size > _OUT:
            self.flush()
        if size > _OUT or not self._gathers():
            self._send(memoryview(data))
        else:
            self._out[self._held : self._held + size] = data
            self._held += size

    def _gathers(self):
        if self._out is None:
            try:
                self._out = bytearray(_OUT)
            except MemoryError:
                return False  # piece by piece it arrives, too
        return True

    def spare(self):
        """Gives back the memory for what is gathered, for a while without messages."""
        if not self._held:
            self._out = None

    def flush(self):
        """Sends what was gathered."""
        if self._held:
            view = memoryview(self._out)[: self._held]
            self._held = 0
            self._send(view)
            if self._blocking:
                self._out = None  # a request has been sent: the answer needs the memory

    def _send(self, view):
        while view:
            try:
                n = self.s.write(view)
            except (OSError, ValueError) as e:
                raise self._failed(e) from None
            if n:
                view = view[n:]
            else:
                self.wait(select.POLLOUT)

    def setblocking(self, flag):
        """True: wait until the deadline, on every port; False: do not wait, and never call the
        hook: it uses this socket itself."""
        self._blocking = bool(flag)

    def poll_in(self, ms):
        """True when something can be read within ms milliseconds."""
        until = self.until
        try:
            self.extend(ms)
            self.wait(_IN)
            return True
        except NetError as e:
            if e.kind != "timeout":
                raise
            return False
        finally:
            self.until = until

    def close(self):
        """Sends what is left, if that works at once, and closes; may be repeated."""
        s = self.s
        if s is None:
            return
        try:
            self.extend(0)
            self.flush()
        except OSError:
            pass
        finally:
            self.s = self._poll = None
            s.close()
            self.raw.close()
