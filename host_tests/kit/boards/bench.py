"""Virtual boards that run a small /main.py of the test instead of the agent."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path

from flyve_mdm.board.board import VirtualBoard
from flyve_mdm.build import firmware


class Bench:
    """Makes boards in one folder, and switches off what a test leaves running."""

    flash_size = 256 * 1024  # littlefs needs no more, and small images copy fast

    def __init__(self, folder: Path):
        self._folder = folder
        self._runs = []
        self.boards = []
        self._count = 0

    def board(self, main: str = "", **how) -> VirtualBoard:
        """A new board with that /main.py."""
        made = VirtualBoard.create(self._place(), **{"flash_size": self.flash_size, **how})
        if main:
            made.write("/main.py", firmware.follow(textwrap.dedent(main)))
        self.boards.append(made)
        return made

    def copy(self, board: VirtualBoard) -> VirtualBoard:
        """A board with the same contents."""
        return VirtualBoard(shutil.copytree(board.path, self._place()))

    def start(self, board: VirtualBoard, **how):
        """Switches a board on until the test ends."""
        self._runs.append(board.start(**how))
        return self._runs[-1]

    def run(self, main: str, **how):
        """The run of a new board with that /main.py, after its end."""
        run = self.start(self.board(main), **how)
        run.wait(10)
        return run

    def close(self) -> None:
        for run in self._runs:
            run.stop()

    def _place(self) -> Path:
        self._count += 1
        return self._folder / f"board{self._count}"
