"""Virtual boards in folders, with the firmware on them."""

from __future__ import annotations

from pathlib import Path

from flyve_mdm.board.board import VirtualBoard

SSID, PSK = "flyve", "flyve-demo"
FLASH = 4 << 20
# A chip takes 1 to 3 s for one and 2.5 s for the other, which would be most of many a test.
JOIN_MS, SCAN_MS = 20, 200
SETUP_PSK = "abcdefghjk"


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
        board.set_air(aps or {SSID: PSK}, JOIN_MS, scan_ms=SCAN_MS)
        board.deploy()
        board.nvs_set("flyve", "setup_psk", SETUP_PSK.encode())
        return board
