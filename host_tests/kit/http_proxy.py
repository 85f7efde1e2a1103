"""A proxy before the backend that edits its answers, cuts them short, holds or drips them."""

from __future__ import annotations

import re
import socket
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

_PATIENCE = 20
_RANGE = re.compile(rb"Range: bytes=(\d+)-(\d+)")
_ITEM = re.compile(rb"/Plugin\w+/(\d+)")


@dataclass
class Request:
    """A request; `begin` and `end` are those of its range, `end` exclusive."""

    raw: bytes = field(repr=False)
    bytes_wanted: bool
    begin: int = 0
    end: int | None = None
    item: int | None = None  # the id of the file or package
    sent: int = 0  # bytes of the body that went to the board

    @classmethod
    def parse(cls, raw: bytes) -> Request:
        """Takes apart what the proxy must know."""
        found = _RANGE.search(raw)
        request = cls(raw, b"octet-stream" in raw)
        if found:
            request.begin, request.end = int(found[1]), int(found[2]) + 1
        if found := _ITEM.search(raw):
            request.item = int(found[1])
        return request


@dataclass
class Answer:
    """What the backend answered, to be edited. limit: bytes in all before the connection ends,
    or with `hold` stands still; pace: (bytes, seconds) at a time of the body."""

    status: str
    headers: dict[str, str]
    body: bytes
    limit: int | None = None
    hold: bool = False
    pace: tuple[int, float] | None = None

    @classmethod
    def parse(cls, raw: bytes) -> Answer:
        """Takes the backend's bytes apart."""
        head, _, body = raw.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.split(": ", 1) for line in lines)
        return cls(status.split(" ", 1)[1], {k.lower(): v for k, v in pairs}, body)

    @property
    def head(self) -> bytes:
        """Everything before the body."""
        lines = [f"HTTP/1.1 {self.status}", *(f"{k}: {v}" for k, v in self.headers.items())]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def cut_body(self, size: int) -> None:
        """Lets so many bytes of the body pass."""
        self.limit = len(self.head) + size


class Proxy:
    """Stands between board and backend; `edit(request, answer)` changes what passes."""

    def __init__(self, port: int, edit: Callable[[Request, Answer], None] | None = None):
        self.edit = edit
        self.requests: list[Request] = []
        self._port = port
        self._over = threading.Event()
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                proxy._relay(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_):
                """Boards lose their power: a broken connection is nothing to report."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def parts(self) -> list[Request]:
        """The requests for bytes."""
        return [request for request in self.requests if request.bytes_wanted]

    def close(self) -> None:
        """Ends the proxy and all that it holds."""
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_PATIENCE)

    def _relay(self, board: socket.socket) -> None:
        board.settimeout(_PATIENCE)
        board.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw = b""
        while b"\r\n\r\n" not in raw:
            data = board.recv(4096)
            if not data:
                return
            raw += data
        request = Request.parse(raw)
        with socket.create_connection(("127.0.0.1", self._port), _PATIENCE) as backend:
            backend.sendall(raw)
            answer = Answer.parse(b"".join(iter(lambda: backend.recv(1 << 16), b"")))
        self.requests.append(request)
        if self.edit:
            self.edit(request, answer)
        self._send(board, request, answer)

    def _send(self, board: socket.socket, request: Request, answer: Answer) -> None:
        data = (answer.head + answer.body)[: answer.limit]
        step, seconds = answer.pace or (max(1, len(data)), 0)
        head = len(answer.head) if answer.pace else 0
        board.sendall(data[:head])
        for at in range(head, len(data), step):
            board.sendall(data[at : at + step])
            request.sent = max(0, min(len(data), at + step) - len(answer.head))
            if seconds and self._over.wait(seconds):
                return
        if answer.hold:
            self._over.wait(_PATIENCE)
