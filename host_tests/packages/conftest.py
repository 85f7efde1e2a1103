"""Boards whose agent is a script of the test, with the firmware's modules beside it."""

import shutil

import pytest

from flyve_mdm.board.board import VirtualBoard
from host_tests.packages.ground import Ground

FLASH = 1 << 20


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """A folder with two boards that have the firmware: one of a stock table, one with slots."""
    folder = tmp_path_factory.mktemp("template")
    for name, ota in (("stock", False), ("ota", True)):
        VirtualBoard.create(folder / name, flash_size=FLASH, ota=ota).deploy()
    return folder


@pytest.fixture
def ground(template, tmp_path):
    """Makes boards, and switches off what a test leaves running."""
    made = Ground(template, tmp_path)
    yield made
    made.close()
    shutil.rmtree(tmp_path, ignore_errors=True)
