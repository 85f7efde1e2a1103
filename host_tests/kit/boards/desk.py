"""Where tests get their boards from: virtual ones in folders, or one behind a serial port.

Both have the interface of VirtualBoard and its Run, as far as a real board can have it; what it
cannot do skips the test.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from flyve_mdm.board.board import VirtualBoard
from host_tests.kit.boards.lines import Pty, Uart
from host_tests.kit.boards.wired import WiredBoard

SSID, PSK = "flyve", "flyve-demo"
FLASH = 4 << 20
JOIN_MS = 20  # a chip takes 1 to 3 s, which would be most of many a test


class Folders:
    """Virtual boards, a new one for each test."""

    wifi, backend = (SSID, PSK), {}

    def __init__(self, folder: Path):
        self._folder, self._count = folder, 0

    def make(self, aps=None, flash_size=FLASH, ota=False):
        """A new board with the firmware on it, off."""
        self._count += 1
        board = VirtualBoard.create(
            self._folder / f"board{self._count}", flash_size=flash_size, ota=ota
        )
        board.set_air(aps or {SSID: PSK}, JOIN_MS)
        board.deploy()
        return board

    def close(self):
        pass


class Wired:
    """A real board on a port, or a virtual one on a pseudo-terminal: always the same one."""

    def __init__(self, port: str | None, folder: Path, wifi: tuple, host: str | None):
        self.wifi = wifi
        self.backend = {"host": host} if host else {}
        self._port, self._folder, self._count = port, folder, 0
        self._boards: dict[int, WiredBoard] = {}  # by the size of their flash
        self.installed = 0  # seconds that the first deployment took

    def make(self, aps=None, flash_size=FLASH, ota=False):
        """The board, blank but for the firmware, and standing still."""
        if ota:
            pytest.skip("needs a virtual board: firmware images that only it starts")
        if self._port and (aps or flash_size != FLASH):
            pytest.skip("needs a virtual board: its air, or a flash of that size")
        if flash_size not in self._boards:
            for other in self._boards.values():
                other.lines.close()
            self._boards.clear()
            self._count += 1
            lines = Uart(self._port) if self._port else Pty(self._folder, self._count, flash_size)
            self._boards[flash_size] = WiredBoard(lines)
        board = self._boards[flash_size]
        if not self._port:
            board.set_air(aps or {SSID: PSK}, JOIN_MS)
        started = time.monotonic()
        board.blank()
        board.deploy()
        self.installed = self.installed or time.monotonic() - started
        return board

    def close(self):
        for board in self._boards.values():
            board.lines.close()
