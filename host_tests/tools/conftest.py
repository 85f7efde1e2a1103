"""A fresh backend for each test, on free ports of the loopback; boards that run a small /main.py
of the test instead of the agent."""

import shutil
import textwrap

import pytest

from flyve_mdm.backend.server import Backend
from flyve_mdm.board.board import VirtualBoard
from host_tests.tools.enrollee import Device, Link

FLASH = 256 * 1024  # littlefs needs no more, and small images copy fast


@pytest.fixture
def start(request):
    """Start a backend with these switches."""

    def run(*arguments, **switches):
        backend = Backend(*arguments, **switches)
        backend.start()
        request.addfinalizer(backend.stop)
        return backend

    return run


@pytest.fixture
def backend(start):
    """A backend of generation C."""
    return start()


@pytest.fixture
def device(request):
    """Make a device with an invitation."""

    def make(*arguments, **fields):
        made = Device(*arguments, **fields)
        request.addfinalizer(made.close)
        return made

    return make


@pytest.fixture
def link(request):
    """Connect a device to the broker."""

    def make(*arguments, **fields):
        made = Link(*arguments, **fields)
        request.addfinalizer(made.close)
        return made

    return make


class Bench:
    """Makes boards in one folder, and switches off what a test leaves running."""

    def __init__(self, folder):
        self._folder = folder
        self._runs = []
        self.boards = []
        self._count = 0

    def board(self, main="", **how) -> VirtualBoard:
        """A new board with that /main.py."""
        self._count += 1
        board = VirtualBoard.create(
            self._folder / f"board{self._count}", **{"flash_size": FLASH, **how}
        )
        if main:
            board.write("/main.py", textwrap.dedent(main))
        self.boards.append(board)
        return board

    def copy(self, board: VirtualBoard) -> VirtualBoard:
        """A board with the same contents."""
        self._count += 1
        return VirtualBoard(shutil.copytree(board.path, self._folder / f"board{self._count}"))

    def start(self, board, **how):
        """Switches a board on until the test ends."""
        self._runs.append(board.start(**how))
        return self._runs[-1]

    def run(self, main, **how):
        """The run of a new board with that /main.py, after its end."""
        run = self.start(self.board(main), **how)
        run.wait(10)
        return run

    def close(self):
        for run in self._runs:
            run.stop()


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.close()
