"""The power fails at each flash operation of an outbox: what the next start still has."""

import shutil
from pathlib import Path

import pytest

from flyve_mdm.board.board import VirtualBoard
from flyve_mdm.build import firmware
from host_tests.kit.sample import sample

DRIVER = Path(__file__).parent / "inside" / "outbox_main.py"


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A board whose outbox was used before, so that there is a file; and how many operations a
    run takes."""
    board = VirtualBoard.create(tmp_path_factory.mktemp("outbox") / "board", flash_size=2 << 20)
    board.deploy()
    board.write("/boot.py", b"")
    board.write("/main.py", firmware.follow(DRIVER.read_text()))
    run(board)
    whole = run(board)
    assert "over" in whole.log, whole.log
    return board.path, whole.flash_ops


def run(board, **how):
    started = board.start(once=True, **how)
    try:
        started.wait_log("^over$", 20)
    except AssertionError:
        pass  # the cut
    started.kill()
    return started


def said(log, word):
    return [line.split(" ", 1)[1] for line in log if line.startswith(word + " ")]


@pytest.mark.parametrize(
    ("fresh", "torn"),
    [
        (True, None),
        (False, 9),
        pytest.param(True, 9, marks=pytest.mark.soak),
        pytest.param(False, None, marks=pytest.mark.soak),
    ],
)
def test_a_cut_loses_no_message_that_was_taken_and_none_out_of_order(
    template, tmp_path, fresh, torn
):
    path, operations = template
    cut = 0
    while True:
        cut += 1
        folder = tmp_path / str(cut)
        shutil.copytree(path, folder)
        board = VirtualBoard(folder)
        if fresh:
            board.change({"/outbox.json": None})
        first = run(board, cut_after=cut, torn=torn)
        if "over" in first.log:
            assert cut > operations // 2
            break
        log = run(board).log
        found = said(log, "found")[0].split()
        adding, added = said(first.log, "adding"), said(first.log, "added")
        due = [t for t in added if t not in said(first.log, "acknowledged")]
        gone = said(first.log, "removed")
        if not adding:
            continue  # it was still about the messages of the run before
        assert set(due) <= set(found) <= set(adding) - set(gone), (cut, first.log, log)
        assert found == sorted(found)
        shutil.rmtree(folder)


WINDOW = 8  # that may fly at once


@pytest.mark.parametrize("share", [10, pytest.param(None, marks=pytest.mark.soak)], ids=str)
@pytest.mark.parametrize("torn", [None, 9], ids=str)
def test_a_cut_in_a_backlog_sends_no_more_than_a_window_of_what_was_acknowledged_again(
    template, tmp_path, torn, share
):
    """While others wait, the file is not written for each acknowledgement."""
    path, operations = template
    board = VirtualBoard(shutil.copytree(path, tmp_path / "whole"))
    board.write("/backlog", b"x")
    whole = run(VirtualBoard(shutil.copytree(board.path, tmp_path / "first")))
    assert "over" in whole.log, whole.log
    places = range(operations, whole.flash_ops + 1)
    again = 0
    for cut in sample(f"backlog {torn}", places, share or len(places)):
        folder = tmp_path / str(cut)
        shutil.copytree(board.path, folder)
        first = run(VirtualBoard(folder), cut_after=cut, torn=torn)
        found = said(run(VirtualBoard(folder)).log, "found")[0].split()
        adding, added, gone = (said(first.log, w) for w in ("adding", "added", "acknowledged"))
        assert set(added) - set(gone) <= set(found) <= set(adding), (cut, first.log, found)
        assert found == sorted(found)
        assert len(set(found) & set(gone)) <= WINDOW + 1, (cut, first.log, found)
        again = max(again, len(set(found) & set(gone)))
        shutil.rmtree(folder)
    assert share or again > 1
