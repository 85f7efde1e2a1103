"""A server that answers with damaged streams, one for each request, one connection at a time."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

_PATIENCE = 10


class Liar:
    """`answers(request)` gives the bytes of the next answer and how it ends: "close", "reset",
    "hold" (until the client has enough), "drip" (two bytes at a time) or "late"."""

    def __init__(self, answers: Callable[[bytes], tuple[bytes, str]], whole: Callable):
        self.count = 0
        self.last: list[tuple[bytes, bytes, str]] = []  # what the newest clients got
        self.failure: BaseException | None = None
        self._answers, self._whole = answers, whole
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(_PATIENCE)
        if self.failure:
            raise self.failure

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.settimeout(_PATIENCE)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with client, contextlib.suppress(OSError):
                try:
                    self._answer(client)
                except OSError:
                    raise
                except BaseException as error:
                    self.failure = error
                    return

    def _answer(self, client: socket.socket) -> None:
        request = b""
        while not self._whole(request):
            data = client.recv(65536)
            if not data:
                return
            request += data
        data, end = self._answers(request)
        self.count += 1
        self.last = [*self.last[-7:], (request, data, end)]
        if end == "drip":
            for at in range(0, len(data), 2):
                client.sendall(data[at : at + 2])
                if self._over.wait(0.005):
                    return
        elif end != "late":
            client.sendall(data)
        if end == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            return
        if end not in ("hold", "late"):
            client.shutdown(socket.SHUT_WR)
        while client.recv(65536):
            pass


def endings(chance) -> Iterator[str]:
    """How streams end, mostly at once."""
    while True:
        yield chance.choices(
            ("close", "reset", "hold", "drip", "late"), weights=(94, 2, 1.6, 1.6, 0.8)
        )[0]
