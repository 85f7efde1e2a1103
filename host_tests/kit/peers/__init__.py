"""Scripted peers on 127.0.0.1: what the firmware's network modules talk to in these tests.

A script is a function of one connection; it runs in a thread of its own for each one. A test
may also drive a connection itself, once the script has left it open.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable

from flyve_mdm.patience import stretched

PATIENCE = stretched(5)  # seconds: no wait of a peer is longer


class Connection:
    """One accepted connection: a socket that remembers what came in."""

    def __init__(self, sock: socket.socket):
        self.sock = sock
        self.pieces: list[bytes] = []  # one for each recv() that gave something
        self._unread = b""

    @property
    def received(self) -> bytes:
        """Every byte that came in so far."""
        return b"".join(self.pieces)

    def receive(self) -> bytes:
        """What is there, or comes next; b"" at the end of the stream."""
        data = self.sock.recv(65536)
        if data:
            self.pieces.append(data)
        return data

    def exactly(self, length: int) -> bytes:
        """The next `length` bytes. Raises EOFError."""
        while len(self._unread) < length:
            data = self.receive()
            if not data:
                raise EOFError
            self._unread += data
        data, self._unread = self._unread[:length], self._unread[length:]
        return data

    def until(self, end: bytes) -> bytes:
        """The next bytes up to and with `end`. Raises EOFError."""
        data = b""
        while not data.endswith(end):
            data += self.exactly(1)
        return data

    def request(self) -> bytes:
        """One HTTP request with its body."""
        head = self.until(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                return head + self.exactly(int(value))
        return head

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def drip(self, data: bytes, pause: float) -> None:
        """Sends byte by byte until the other side has had enough."""
        with contextlib.suppress(OSError):
            for i in range(len(data)):
                self.sock.sendall(data[i : i + 1])
                time.sleep(pause)  # the slowness is what is tested

    def silent(self, seconds: float = 0.1) -> bool:
        """True when nothing more comes in within that time."""
        self.sock.settimeout(seconds)
        try:
            return not self.receive()
        except TimeoutError:
            return True
        finally:
            self.sock.settimeout(PATIENCE)

    def drain(self) -> None:
        """Reads until the other side closes."""
        with contextlib.suppress(OSError):
            while self.receive():
                pass

    def hang_up(self) -> None:
        """Ends the connection; a thread that reads from it sees its end."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.hang_up()
        self.sock.close()


class Peer:
    """A TCP server. `connections` are the accepted ones, with TLS those whose handshake was
    done; `refused` are the reasons of the handshakes that were not."""

    def __init__(
        self,
        script: Callable[[Connection], object],
        tls: ssl.SSLContext | None = None,
        keep: bool = False,
        receive_buffer: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
    ):
        self.connections: list[Connection] = []
        self.accepted = 0
        self.refused: list[str] = []
        self._script = script
        self._tls = tls
        self._keep = keep
        self._problems: list[BaseException] = []
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._listener = socket.socket()
        if receive_buffer:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._listener.bind((host, port))
        self._listener.listen(64)
        self.port = self._listener.getsockname()[1]
        self._run(self._accept)

    def connection(self, number: int = 0) -> Connection:
        """The connection with that number, once it is there."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.connections) > number, PATIENCE)
        return self.connections[number]

    def joined(self, count: int = 1) -> None:
        """Waits until that many connections came, no more, and all their scripts have ended."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.accepted >= count, PATIENCE)
        for thread in self._threads[1:]:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "a script hangs"
        assert self.accepted == count

    @property
    def received(self) -> bytes:
        """Every byte of every connection; with TLS the decrypted ones."""
        return b"".join(connection.received for connection in self.connections)

    def close(self) -> None:
        """Closes everything; raises what a script raised, its connection's end excepted."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self.connections):
            connection.hang_up()
        for thread in self._threads:
            thread.join(PATIENCE)
        for connection in self.connections:
            connection.close()
        for problem in self._problems:
            raise problem

    def _run(self, function, *args) -> None:
        thread = threading.Thread(target=function, args=args, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._run(self._serve, sock)
            with self._changed:
                self.accepted += 1
                self._changed.notify_all()

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(PATIENCE)
        try:
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True)
        except OSError as error:
            self.refused.append(str(error))
            sock.close()
            return
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(sock)
        with self._changed:
            self.connections.append(connection)
            self._changed.notify_all()
        try:
            self._script(connection)
        except (OSError, EOFError):
            pass
        except BaseException as problem:
            self._problems.append(problem)
        finally:
            if not self._keep:
                connection.close()


class Datagrams:
    """A UDP server: what `answer(data)` returns is sent back, None is silence."""

    def __init__(self, answer: Callable[[bytes], bytes | None]):
        self.received: list[bytes] = []
        self._answer = answer
        self._sock = socket.socket(type=socket.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", 0))
        self._sock.settimeout(0.05)
        self._over = threading.Event()
        self.port = self._sock.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join(PATIENCE)
        self._sock.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(OSError):
                data, sender = self._sock.recvfrom(2048)
                self.received.append(data)
                answer = self._answer(data)
                if answer is not None:
                    self._sock.sendto(answer, sender)


class Full:
    """A listening socket whose backlog is full: no handshake with it ever ends."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0):
        self._socks = [socket.socket()]
        self._socks[0].bind((host, port))
        self._socks[0].listen(0)
        self.port = self._socks[0].getsockname()[1]
        for _ in range(4):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex((host, self.port))
            self._socks.append(sock)

    def close(self) -> None:
        for sock in self._socks:
            sock.close()


def answer(body: bytes = b"", status: str = "200 OK", *headers: str) -> bytes:
    """An HTTP answer with its Content-Length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def says(data: bytes) -> Callable[[Connection], None]:
    """A script: whatever the request, these bytes."""

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(data)

    return script


def silence(connection: Connection) -> None:
    """A script: reads and never answers."""
    connection.drain()
