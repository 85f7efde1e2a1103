"""Boards whose agent is a script of the test, with the firmware's modules beside it."""

import shutil
import textwrap
from pathlib import Path

from flyve_mdm.board.board import VirtualBoard
from flyve_mdm.build import firmware
from host_tests.kit.boards.bench import Bench

# In front of each script: run(job) drives a job to its end, install() tells how one ended.
_PREAMBLE = """
import time
from flyve import registry

slowest = 0

def run(job):
    global slowest
    while True:
        start = time.ticks_ms()
        try:
            next(job)
        except StopIteration as e:
            return e.value
        finally:
            slowest = max(slowest, time.ticks_diff(time.ticks_ms(), start))

def install(name, version, path="/staged"):
    from flyve.jobs import packages
    try:
        print("restart" if run(packages.install(path, name, version)) else "done", slowest)
    except registry.Failed as e:
        print("failed:", e)
    except registry.Incompatible as e:
        print("incompatible:", e)
"""


class Scripted(Bench):
    """Makes boards out of the two of `installed`: one of a stock table, one with slots."""

    def __init__(self, installed: Path, folder: Path):
        super().__init__(folder)
        self._installed = installed

    def board(self, script: str = "", ota: bool = False, **files: bytes) -> VirtualBoard:
        """A board with that /main.py; `staged` and other files by their name at the root."""
        made = self.copy(VirtualBoard(self._installed / ("ota" if ota else "stock")))
        self.script(made, script)
        if files:
            made.change({f"/{name}": data for name, data in files.items()})
        return made

    def scrap(self, board: VirtualBoard) -> None:
        """Removes a board that is off: there may be hundreds in a test."""
        shutil.rmtree(board.path)

    def script(self, board: VirtualBoard, script: str) -> None:
        """Replaces /main.py."""
        board.write("/main.py", firmware.follow(_PREAMBLE + textwrap.dedent(script)))

    def lines(self, board: VirtualBoard, script: str | None = None, **how) -> list[str]:
        """What the board prints until its script ends."""
        if script is not None:
            self.script(board, script)
        run = self.start(board, **how)
        run.wait(20)
        lines = [line for line in run.log if not line.startswith(("board:", "flash ops"))]
        print(*lines, sep="\n")
        return lines
