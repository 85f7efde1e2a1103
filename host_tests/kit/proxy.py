"""A TCP proxy that does to connections what networks do: it cuts, freezes, delays, trickles and
doubles, at a chosen byte. It knows no protocol, and remembers what passed."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from flyve_mdm.patience import stretched

UP, DOWN = "up", "down"  # towards the server, towards the client
KINDS = ("cut", "reset", "freeze", "delay", "trickle", "double", "refuse")
_PATIENCE = 120
_RESET = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # SO_LINGER: on, 0 s


@dataclass(frozen=True)
class Fault:
    """What happens to a connection after byte `at` of one direction.

    cut: both ends are closed; reset: the client's with RST; freeze: nothing passes any more, both
    ends stay open; delay: nothing passes for `seconds`, then all; trickle: a byte each `seconds`;
    double: the last 64 bytes come twice; refuse: the connection is closed as soon as it is there.
    """

    kind: str
    direction: str = DOWN
    at: int = 0
    seconds: float = 1.0

    def __post_init__(self):
        assert self.kind in KINDS, self.kind


@dataclass
class Passage:
    """One connection: what passed in both directions."""

    number: int
    fault: Fault | None
    up: bytearray = field(default_factory=bytearray, repr=False)
    down: bytearray = field(default_factory=bytearray, repr=False)
    struck: bool = False  # the fault's byte was reached
    over: bool = False
    frozen: threading.Event = field(default_factory=threading.Event, repr=False)
    ends: tuple = ()
    relays: list = field(default_factory=lambda: [UP, DOWN], repr=False)

    def freeze(self) -> None:
        """From now on nothing passes any more; both ends stay open."""
        self.frozen.set()

    def cut(self) -> None:
        """Ends both ends."""
        for sock in self.ends:
            _end(sock, socket.SHUT_RDWR)

    def leave(self, direction: str) -> None:
        """A relay has ended; with the last one the sockets go. Before, the other might wait for a
        number that by then belongs to another connection."""
        self.relays.remove(direction)
        if not self.relays:
            for sock in self.ends:
                sock.close()


class Proxy:
    """Listens on a port of its own, as long as it is not closed.

    `plan(number)` gives the Fault of the connection with that number (from 0 on), or None.
    """

    def __init__(self, port: int, plan: Callable[[int], Fault | None] = lambda number: None):
        self.plan = plan
        self.passages: list[Passage] = []
        self.target = port  # of connections to come; 0: none gets through
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._run(self._accept)

    def close(self) -> None:
        """Ends all connections."""
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for passage in list(self.passages):
            passage.cut()
        for thread in list(self._threads):
            thread.join(stretched(10))

    def _run(self, function, *args) -> None:
        thread = threading.Thread(target=function, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            number = len(self.passages)
            passage = Passage(number, self.plan(number))
            self.passages.append(passage)
            if passage.fault and passage.fault.kind == "refuse":
                passage.struck = passage.over = True
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target), 10)
            except OSError:
                passage.over = True
                client.close()
                continue
            for sock in (client, server):
                sock.settimeout(stretched(_PATIENCE))
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            passage.ends = client, server
            if self._over.is_set():
                passage.cut()
            self._run(self._relay, passage, UP, client, server)
            self._run(self._relay, passage, DOWN, server, client)

    def _relay(self, passage, direction, source, sink) -> None:
        try:
            self._carry(passage, direction, source, sink)
        finally:
            passage.leave(direction)

    def _carry(self, passage, direction, source, sink) -> None:
        fault = passage.fault if passage.fault and passage.fault.direction == direction else None
        passed, frozen = getattr(passage, direction), passage.frozen
        with contextlib.suppress(OSError):
            while True:
                if fault and fault.at == len(passed) and not passage.struck:
                    passage.struck = True
                    if not self._strike(passage, passed, source, sink):
                        return
                data = source.recv(65536)
                if not data:
                    break
                if frozen.is_set():
                    continue  # read, so that the sender sees nothing of it
                while data and not frozen.is_set():
                    step = len(data)
                    if fault and len(passed) < fault.at:
                        step = min(step, fault.at - len(passed))
                    elif fault and fault.kind == "trickle":
                        step = 1
                        self._over.wait(fault.seconds)
                    sink.sendall(data[:step])
                    passed += data[:step]
                    data = data[step:]
                    if fault and fault.at == len(passed) and not passage.struck:
                        passage.struck = True
                        if not self._strike(passage, passed, source, sink):
                            return
        if not frozen.is_set() and not passage.over:
            # The end of one half is the end of both: HTTP/1.0 and MQTT know no other.
            passage.over = True
            passage.cut()

    def _strike(self, passage, passed, source, sink) -> bool:
        """False when nothing is to be relayed any more in this direction."""
        fault = passage.fault
        if fault.kind == "delay":
            self._over.wait(fault.seconds)
        elif fault.kind == "double":
            sink.sendall(bytes(passed[-64:]))
        elif fault.kind == "freeze":
            passage.freeze()
        elif fault.kind in ("cut", "reset"):
            passage.over = True
            if fault.kind == "reset":  # as soon as both relays have left it
                client, server = passage.ends
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                _end(client, socket.SHUT_RD)
                _end(server, socket.SHUT_RDWR)  # it gets all that `up` claims
            else:
                passage.cut()
            return False
        return True


def _end(sock: socket.socket, how: int) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(how)
