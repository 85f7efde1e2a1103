"""What stands before a backend and edits its answers, cuts them short, holds or drips them."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from flyve_mdm.patience import stretched
from host_tests.kit.peers import Connection, Peer

_PATIENCE = stretched(20)
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


class Front(Peer):
    """Stands between board and backend; `edit(request, answer)` changes what passes."""

    def __init__(self, port: int, edit: Callable[[Request, Answer], None] | None = None):
        self.edit = edit
        self.requests: list[Request] = []
        self._backend = port
        super().__init__(self._pass)

    @property
    def parts(self) -> list[Request]:
        """The requests for bytes."""
        return [request for request in self.requests if request.bytes_wanted]

    def _pass(self, board: Connection) -> None:
        board.sock.settimeout(_PATIENCE)
        raw = board.request()
        request = Request.parse(raw)
        with socket.create_connection(("127.0.0.1", self._backend), _PATIENCE) as backend:
            backend.sendall(raw)
            answer = Answer.parse(b"".join(iter(lambda: backend.recv(1 << 16), b"")))
        self.requests.append(request)
        if self.edit:
            self.edit(request, answer)
        self._send(board, request, answer)

    @staticmethod
    def _send(board: Connection, request: Request, answer: Answer) -> None:
        data = (answer.head + answer.body)[: answer.limit]
        step, seconds = answer.pace or (max(1, len(data)), 0)
        head = len(answer.head) if answer.pace else 0
        board.send(data[:head])
        for at in range(head, len(data), step):
            board.send(data[at : at + step])
            request.sent = max(0, min(len(data), at + step) - len(answer.head))
            time.sleep(seconds)
        if answer.hold:
            board.drain()
