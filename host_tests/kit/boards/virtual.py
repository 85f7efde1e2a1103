"""Virtual boards in folders, with the firmware on them."""

from __future__ import annotations

from pathlib import Path

from flyve_mdm.board.board import VirtualBoard

SSID, PSK = "flyve", "flyve-demo"
FLASH = 4 << 20
JOIN_MS = 20  # a chip takes 1 to 3 s, which would be most of many a test


class VirtualBoards:
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
