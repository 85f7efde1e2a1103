"""A connection that umqtt.simple has opened, with what that lacks: a parser that does not block or
trusts, packet ids that wrap, DUP, SUBACK codes, QoS 2 for a broker that does not lower it, and one
error type.

Every packet is read through one preallocated buffer; a larger PUBLISH up to LIMIT gets its own,
and of a still larger one only the topic is told.
"""

from struct import pack

from micropython import const

from flyve import log
from flyve.transport import NetError

LIMIT = const(4608)  # bytes of a packet: a policy of 4 KiB and its topic
_BUFFER = const(512)
_WRITE_MS = const(10000)
_TURNS = const(32)  # reads and packets of one pump(): a flood must not hold up all else
_HELD = const(64)  # messages of QoS 2 that the broker has not released


class Client:
    """One MQTT connection.

    on_message(topic: str, payload: bytes or None when over LIMIT, retained: bool),
    on_puback(pid), on_suback(pid, code) are called from pump() and must not wait; they may close
    the client. more: pump() stopped before it had handled all that is there."""

    # Here, for an object's own attributes take memory: what most connections never change.
    _big = None  # the buffer of a large packet
    _skip = 0  # bytes of what is not taken
    _held = ()

    def __init__(self, sock, on_message, on_puback, on_suback):
        """sock: a transport.Stream, after CONNACK."""
        self.on_message = on_message
        self.on_puback = on_puback
        self.on_suback = on_suback
        sock.setblocking(False)
        self.sock = sock
        self._rx = bytearray(_BUFFER)
        self._view = memoryview(self._rx)
        self._pid = self._start = self._end = 0
        self.more = False
        self.sent = log.uptime()

    def flush(self):
        """Sends what post() has gathered."""
        self.sock.flush()
        self.sent = log.uptime()

    def _begin(self, op, size, word):
        """Writes a packet's head and the two bytes after it; size: bytes that follow the head."""
        self.sock.extend(_WRITE_MS)
        while size > 127:
            self.sock.write(bytes((op,)))
            op = size & 127 | 128
            size >>= 7
        self.sock.write(pack(">BBH", op, size, word))

    def post(self, topic, payload, retain=False, pid=0, dup=False, more=False):
        """Sends a PUBLISH: QoS 1 with the packet id pid, or QoS 0. payload: bytes, or an object
        with pieces() and a length. more: it may wait for flush(). Does not wait for the
        acknowledgement."""
        topic = topic.encode()
        op = 0x30 | bool(pid) << 1 | bool(dup) << 3 | bool(retain)
        self._begin(op, len(topic) + len(payload) + (4 if pid else 2), len(topic))
        self.sock.write(topic)
        if pid:
            self.sock.write(pack(">H", pid))
        for piece in payload.pieces() if hasattr(payload, "pieces") else (payload,):
            self.sock.extend(_WRITE_MS)  # each may take that long: a slow link is no dead one
            self.sock.write(piece)
        if not more:
            self.flush()

    def ask(self, topic, qos=b"\1"):
        """Sends a SUBSCRIBE, or an UNSUBSCRIBE when qos is empty; returns its packet id. on_suback
        tells the outcome."""
        self._pid = self._pid % 32767 + 1
        pid = self._pid | 0x8000  # the lower half belongs to the outbox
        topic = topic.encode()
        self._begin(0x82 if qos else 0xA2, 4 + len(topic) + len(qos), pid)
        self.sock.write(pack(">H", len(topic)))
        self.sock.write(topic)
        self.sock.write(qos)
        self.flush()
        return pid

    def ping(self):
        """Sends a PINGREQ."""
        self.sock.extend(_WRITE_MS)
        self.sock.write(b"\xc0\0")
        self.flush()

    def close(self, goodbye=False):
        """Closes; with goodbye a DISCONNECT is sent, so that the broker drops the will."""
        sock = self.sock
        self.sock = None
        if sock is None:
            return
        try:
            if goodbye:
                sock.extend(2000)
                sock.write(b"\xe0\0")
                sock.flush()
        except OSError:
            pass
        finally:
            sock.close()

    def pump(self):
        """Reads what is there and handles whole packets, up to a bound; returns how many there
        were. Raises NetError when the connection is gone or the peer breaks the protocol."""
        handled = 0
        self.more = False
        for _ in range(_TURNS):
            if self._parse():
                handled += 1
                continue
            if self.sock is None:
                return handled
            if self._start:
                # Make room: what is left of the buffer is the start of a packet.
                left = self._end - self._start
                self._rx[:left] = self._view[self._start : self._end]
                self._start, self._end = 0, left
            view = self._view if self._big is None else memoryview(self._big)
            n = self.sock.readinto(view[self._end :])
            if n is None:
                return handled
            if n == 0:
                raise NetError("mqtt", "the broker closed the connection")
            self._end += n
        self.more = self.sock is not None
        return handled

    def _parse(self):
        """Handles one packet if it is there whole and the client is open."""
        if self.sock is None:
            return False
        have = self._end - self._start
        if self._skip:
            n = min(self._skip, have)
            self._skip -= n
            self._start += n
            have -= n
            if self._skip:
                return False
        buf = self._rx if self._big is None else self._big
        size = 0
        at = self._start + 1
        shift = 0
        while True:
            if at - self._start >= have:
                return False
            size |= (buf[at] & 127) << shift
            at += 1
            if not buf[at - 1] & 128:
                break
            shift += 7
            if shift > 21:
                raise NetError("mqtt", "malformed packet length")
        whole = at - self._start + size
        if whole > have:
            if self._big is None and whole > _BUFFER:
                return self._large(buf[self._start], at, size, whole)
            return False
        op = buf[self._start]
        view = self._view if self._big is None else memoryview(buf)
        # The packet is done with before anybody hears of it: a handler may raise.
        self._start += whole
        if self._big is not None:
            self._big = None
            self._start = self._end = 0
        self._handle(op, view[at : at + size])
        return True

    def _large(self, op, at, size, whole):
        if op & 0xF0 != 0x30:
            raise NetError("mqtt", "oversized packet of type %d" % (op >> 4))
        have = self._end - self._start
        if whole <= LIMIT:
            big = bytearray(whole)
            big[:have] = self._view[self._start : self._end]
            self._big = big
            self._start, self._end = 0, have
            return False
        if have < _BUFFER:
            return False  # the topic may still be incomplete
        body = self._view[at : self._end]
        self._skip = whole - have
        self._start = self._end = 0
        self._handle(op, body, True)
        return True

    def _handle(self, op, body, cut=False):
        kind = op & 0xF0
        answer = pid = 0
        if kind == 0x30:
            qos = op >> 1 & 3
            if qos > 2:
                raise NetError("mqtt", "unexpected PUBLISH of QoS 3")
            at = 2 + (body[0] << 8 | body[1]) if len(body) > 2 else LIMIT
            start = at + 2 * bool(qos)
            if start > len(body):
                raise NetError("mqtt", "malformed PUBLISH")
            try:
                topic = str(body[2:at], "utf-8")
            except UnicodeError:
                raise NetError("mqtt", "malformed topic") from None
            if qos:
                pid = body[at] << 8 | body[at + 1]
                answer = 0x30 + 0x10 * qos
            if qos < 2 or pid not in self._held:
                self.on_message(topic, None if cut else bytes(body[start:]), bool(op & 1))
            if qos == 2 and pid not in self._held:
                self._held = self._held[1 - _HELD :] + (pid,)
        elif kind in (0x40, 0x60, 0x90) and len(body) >= 2:
            pid = body[0] << 8 | body[1]
            if kind == 0x40:
                self.on_puback(pid)
            elif kind == 0x60:  # PUBREL
                if pid in self._held:
                    at = self._held.index(pid)
                    self._held = self._held[:at] + self._held[at + 1 :]
                answer = 0x70
            elif len(body) == 3:
                self.on_suback(pid, body[2])
            else:
                raise NetError("mqtt", "malformed SUBACK")
        elif kind not in (0xB0, 0xD0):
            raise NetError("mqtt", "unexpected packet of type %d" % (op >> 4))
        if answer and self.sock:
            # Only now: what was acknowledged has been dealt with.
            self._begin(answer, 2, pid)
            self.flush()
