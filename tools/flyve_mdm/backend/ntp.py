"""An SNTP server (RFC 4330) on a loopback port, whose clock may be wrong or unset."""

from __future__ import annotations

import socket
import struct
import threading
import time

from flyve_mdm.backend.options import Options
from flyve_mdm.patience import stretched

_EPOCH_1900 = 2208988800
_PACKET = 48


class NtpServer:
    """Answers NTP clients in a thread of its own until `stop()`."""

    def __init__(
        self, options: Options, host: str = "127.0.0.1", port: int = 0, second: bool = False
    ) -> None:
        """second: the one whose clock differs by `ntp_second_offset`."""
        self._options = options
        self._second = second
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, port))
        self.port: int = self._socket.getsockname()[1]
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, name="ntp", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close the socket."""
        self._stopping = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wake:
            wake.sendto(b"", self._socket.getsockname())
        self._thread.join(stretched(5))
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                query, sender = self._socket.recvfrom(1024)
                if self._stopping:
                    return
                if len(query) >= _PACKET and not self._options.ntp_silent:
                    self._socket.sendto(self._answer(query), sender)
            except OSError:
                if self._stopping:
                    return

    def _answer(self, query: bytes) -> bytes:
        options = self._options
        offset = options.ntp_second_offset if self._second else options.ntp_offset
        if options.ntp_leap and not self._second:
            offset, options.ntp_leap = options.ntp_leap, 0.0
        now = time.time() + offset + _EPOCH_1900
        # The seconds wrap in 2036 (era 1); clients that care add the era themselves.
        stamp = struct.pack("!II", int(now) & 0xFFFFFFFF, int(now % 1 * 2**32))
        version = query[0] & 0x38
        lost = options.ntp_answer == "unsynchronised"
        first = 0xC0 | version | 4 if lost else version | 4
        head = struct.pack("!BBbbII4s", first, 0 if lost else 1, 4, -20, 0, 0, b"LOCL")
        sent = bytes(8) if options.ntp_answer == "zero" else stamp
        return head + stamp + query[40:48] + stamp + sent
