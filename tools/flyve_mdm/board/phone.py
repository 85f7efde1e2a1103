"""A phone near a virtual board: it joins the board's own network and leaves it, and asks its
servers as a phone in that network would."""

from __future__ import annotations

import http.client
import re
import socket
import struct

from flyve_mdm.board.board import VirtualBoard
from flyve_mdm.board.run import Run
from flyve_mdm.patience import stretched

ADDRESS = "192.168.4.1"
_OPEN = r"setup: page http://127\.0\.0\.1:(\d+), dns 127\.0\.0\.1:(\d+)"
_stations: dict[str, dict[str, str]] = {}  # of each board, by its folder


class Phone:
    """One phone. What is asked of the servers is real HTTP and DNS, on their loopback ports."""

    def __init__(self, board: VirtualBoard, run: Run, mac: str = "da:00:00:00:00:01"):
        self.board, self.run, self.mac = board, run, mac

    def join(self, psk: str, timeout: float = 20) -> str:
        """Joins with that passphrase; returns what came of it: "joined" or "refused: <why>"."""
        since = len(self.run.log)
        self._air()[self.mac] = psk
        self.board.set_stations(self._air())
        said = rf"setup: {re.escape(self.mac)} (joined|refused: .+)"
        return self.run.wait_log(said, timeout, since)[1]

    def leave(self, timeout: float = 20) -> None:
        """Leaves; returns when the board has noticed."""
        since = len(self.run.log)
        del self._air()[self.mac]
        self.board.set_stations(self._air())
        self.run.wait_log(f"setup: {re.escape(self.mac)} left", timeout, since)

    def ports(self, timeout: float = 20) -> tuple[int, int]:
        """Waits until page and DNS are open; returns their ports."""
        if not self.run.setup:
            self.run.wait_log(_OPEN, timeout)
        # A line from before the last restart may have matched.
        while not self.run.setup:
            self.run.wait_log(_OPEN, timeout, len(self.run.log))
        return self.run.setup

    @property
    def url(self) -> str:
        """The page's address, for a browser on this machine."""
        return f"http://127.0.0.1:{self.ports()[0]}"

    def request(
        self,
        path: str = "/",
        method: str = "GET",
        body: bytes | str | None = None,
        host: str = ADDRESS,
        **headers: str,
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (names in lower case) and body of one request, with that Host."""
        at = http.client.HTTPConnection("127.0.0.1", self.ports()[0], timeout=stretched(20))
        sent = {"Host": host, **{name.replace("_", "-"): v for name, v in headers.items()}}
        if method == "POST":
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        try:
            at.request(method, path, body, sent)
            answer = at.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, found, answer.read()
        finally:
            at.close()

    def ask(self, message: bytes, timeout: float = 10) -> bytes:
        """Sends the DNS server one message; returns its answer. Raises TimeoutError."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(stretched(timeout))
            sock.connect(("127.0.0.1", self.ports()[1]))
            sock.send(message)
            return sock.recv(2048)

    def lookup(self, name: str) -> str:
        """The address that the board's DNS gives a name."""
        labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
        question = labels + struct.pack("!BHH", 0, 1, 1)
        answer = self.ask(struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + question)
        return ".".join(map(str, answer[-4:]))

    def _air(self) -> dict[str, str]:
        return _stations.setdefault(str(self.board.path), {})
