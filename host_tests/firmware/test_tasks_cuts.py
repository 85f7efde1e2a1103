"""The power fails at a write of the tasks file: the old tasks or the new ones."""

import json

import pytest

from flyve_mdm.board.life import EXIT_CUT
from host_tests.kit.sample import sample

PATH = "/tasks.json"


def task(number, status="done"):
    return [number, "deployfile", "agent", 1234, status, "x" * 100]


OLD = [task(n) for n in range(60)]
NEW = [*OLD[:7], *OLD[8:], task(7, "failed")]
PUT = f"from flyve.jobs import tasks\ntasks.put(tasks.make(*{task(7, 'failed')!r}))"


def stored(board):
    return [json.loads(line) for line in board.read(PATH).splitlines()]


def sweep(bench, torn, choose):
    old = "".join(json.dumps(one) + "\n" for one in OLD).encode()
    board = bench.board(PUT, **{"tasks.json": old})
    whole = bench.copy(board)
    run = bench.start(whole)
    run.wait(20)
    assert stored(whole) == NEW
    for place in choose(range(1, run.flash_ops + 1)):
        cut = bench.copy(board)
        assert bench.start(cut, cut_after=place, torn=torn).wait(20) == EXIT_CUT, place
        assert stored(cut) in (OLD, NEW), place
        bench.lines(cut)
        assert stored(cut) == NEW, place
        assert "/tasks.new" not in dict(cut.files()), place
        bench.scrap(cut)


@pytest.mark.parametrize("torn", [None, 7], ids=["whole", "torn"])
def test_the_power_fails_at_a_write_of_the_tasks(bench, torn):
    sweep(bench, torn, lambda places: sample(f"tasks {torn}", places, 3))


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("torn", [None, 7], ids=["whole", "torn"])
def test_the_power_fails_at_any_write_of_the_tasks(bench, torn):
    sweep(bench, torn, list)
