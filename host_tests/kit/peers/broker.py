"""The broker's side of MQTT 3.1.1, scripted: packets as bytes, and a Broker that answers."""

from __future__ import annotations

import threading
import time

from host_tests.kit.peers import PATIENCE, Connection

CONNECT, CONNACK, PUBLISH, PUBACK = 0x10, 0x20, 0x30, 0x40
PUBREC, PUBREL, PUBCOMP = 0x50, 0x62, 0x70
SUBSCRIBE, SUBACK, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = 0x82, 0x90, 0xB0, 0xC0, 0xD0, 0xE0


def packet(op: int, body: bytes = b"") -> bytes:
    size, length = len(body), b""
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([op]) + length + bytes([size]) + body


def string(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def publish(topic: str, payload: bytes = b"", pid: int = 0, flags: int = 0) -> bytes:
    """QoS 1 with a packet id, else QoS 0; flags: DUP (8), retain (1)."""
    body = string(topic) + (pid.to_bytes(2, "big") if pid else b"") + payload
    return packet(PUBLISH | (2 if pid else 0) | flags, body)


def puback(pid: int) -> bytes:
    return packet(PUBACK, pid.to_bytes(2, "big"))


def read(connection: Connection) -> tuple[int, bytes]:
    """The next packet. Raises EOFError."""
    op = connection.exactly(1)[0]
    size = shift = 0
    while True:
        byte = connection.exactly(1)[0]
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return op, connection.exactly(size)


class Message:
    """A PUBLISH that came in."""

    def __init__(self, op: int, body: bytes):
        end = 2 + int.from_bytes(body[:2], "big")
        self.topic = body[2:end].decode()
        self.qos = op >> 1 & 3
        self.dup, self.retain = bool(op & 8), bool(op & 1)
        self.pid = int.from_bytes(body[end : end + 2], "big") if self.qos else 0
        self.payload = body[end + 2 if self.qos else end :]
        self.time = time.monotonic()

    def __repr__(self):
        return f"{self.topic}={self.payload!r} qos={self.qos} dup={self.dup} pid={self.pid}"


class Broker:
    """A script that plays a broker; what it answers can be changed at any time.

    pong: seconds until PINGRESP, None for never. granted: the SUBACK code by topic filter.
    deaf: reads and answers nothing more.
    """

    def __init__(self, code=0, granted=None, acknowledge=True, pong=0.0):
        self.code = code
        self.granted = granted or {}
        self.acknowledge = acknowledge
        self.pong = pong
        self.suback = True
        self.hang_up_on = None  # the type of the packet on which the connection is closed
        self.packets: list[tuple[int, bytes, float]] = []
        self.messages: list[Message] = []
        self.sessions: list[list[Message]] = []
        self._changed = threading.Condition()

    def __call__(self, connection: Connection) -> None:
        timers = []
        mine: list[Message] = []
        self.sessions.append(mine)
        try:
            while True:
                op, body = read(connection)
                with self._changed:
                    self.packets.append((op, body, time.monotonic()))
                    if op & 0xF0 == PUBLISH:
                        mine.append(Message(op, body))
                        self.messages.append(mine[-1])
                    self._changed.notify_all()
                if self.hang_up_on == op & 0xF0 or op == DISCONNECT:
                    return
                self._answer(connection, op, body, timers)
        finally:
            for timer in timers:
                timer.cancel()

    def _answer(self, connection, op, body, timers) -> None:
        if op == CONNECT:
            connection.send(packet(CONNACK, bytes([0, self.code])))
        elif op == SUBSCRIBE and self.suback:
            code = self.granted.get(body[4:-1].decode(), 1)
            connection.send(packet(SUBACK, body[:2] + bytes([code])))
        elif op & 0xF2 == PUBLISH | 2 and self.acknowledge:
            connection.send(puback(Message(op, body).pid))
        elif op == PINGREQ and self.pong is not None:
            timer = threading.Timer(self.pong, self._pong, [connection])
            timers.append(timer)
            timer.start()

    @staticmethod
    def _pong(connection) -> None:
        try:
            connection.send(packet(PINGRESP))
        except OSError:
            pass

    def wait_for(self, happened, seconds: float = PATIENCE) -> bool:
        with self._changed:
            return self._changed.wait_for(happened, seconds)

    def times(self, op: int) -> list[float]:
        """When packets of that type came."""
        return [at for kind, _, at in self.packets if kind & 0xF0 == op & 0xF0]

    def bodies(self, op: int) -> list[bytes]:
        return [body for kind, body, _ in self.packets if kind & 0xF0 == op & 0xF0]
