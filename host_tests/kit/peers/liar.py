"""A server that answers with damaged streams, one for each request."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

from flyve_mdm.patience import stretched
from host_tests.kit.peers import Connection, Peer

_PATIENCE = stretched(10)


class Liar(Peer):
    """`answers(request)` gives the bytes of the next answer and how it ends: "close", "reset",
    "hold" (until the client has enough), "drip" (two bytes at a time) or "late"."""

    def __init__(self, answers: Callable[[bytes], tuple[bytes, str]], whole: Callable):
        self.count = 0
        self._answers, self._whole = answers, whole
        super().__init__(self._answer)

    def _answer(self, client: Connection) -> None:
        client.sock.settimeout(_PATIENCE)
        while not self._whole(client.received):
            if not client.receive():
                return
        data, end = self._answers(client.received)
        self.count += 1
        if end == "drip":
            for at in range(0, len(data), 2):
                client.send(data[at : at + 2])
                time.sleep(0.005)
        elif end != "late":
            client.send(data)
        if end == "reset":
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.sock.close()
            return
        if end not in ("hold", "late"):
            client.sock.shutdown(socket.SHUT_WR)
        client.drain()


def endings(chance) -> Iterator[str]:
    """How streams end, mostly at once."""
    while True:
        yield chance.choices(
            ("close", "reset", "hold", "drip", "late"), weights=(94, 2, 1.6, 1.6, 0.8)
        )[0]
