"""boot.py's decisions: which slot is on the path, and what counts as a crash."""

import pytest

from host_tests.kit.packages import entry

SHOW = "import sys\nprint(sys.path[0])\n"
TRIAL_B = 1 | 2 << 2  # slot a in use, b on trial


def board(ground, update, script=SHOW, crashes=0):
    made = ground.board(script)
    made.change(entries={("flyve", "update"): update, ("flyve", "crashes"): crashes})
    return made


def first_path(ground, made):
    run = ground.start(made)
    found = run.wait_log("^$|^/flyve", 10).string
    run.kill()
    return found


@pytest.mark.parametrize("update, path", [(0, ""), (1, "/flyve.a"), (2, "/flyve.b")])
def test_the_slot_in_use_is_first_on_the_path(ground, update, path):
    assert first_path(ground, board(ground, update)) == path


def test_a_slot_on_trial_goes_before_the_one_in_use_and_its_start_is_counted(ground):
    made = board(ground, TRIAL_B)
    assert first_path(ground, made) == "/flyve.b"
    assert entry(made, "update") == TRIAL_B + 16


def test_three_starts_by_power_on_are_all_that_a_trial_gets(ground):
    made = board(ground, TRIAL_B)
    found = [first_path(ground, made) for _ in range(4)]
    assert found == ["/flyve.b"] * 3 + ["/flyve.a"]
    assert entry(made, "update") == 1 | 128


def test_a_reset_ends_a_trial_that_was_started(ground):
    script = SHOW + "import machine\nif machine.reset_cause() == 1:\n    machine.reset()\n"
    made = board(ground, TRIAL_B, script)
    run = ground.start(made)
    run.wait_log("^/flyve.a")
    run.kill()
    assert "/flyve.b" in run.log
    assert entry(made, "update") == 1 | 128
    assert entry(made, "crashes") == 1


def test_the_row_of_crashes_is_bounded(ground):
    script = "import machine\nif machine.reset_cause() == 1:\n    machine.reset()\n"
    made = board(ground, 0, script, crashes=99)
    ground.run(made)
    assert entry(made, "crashes") == 99


def test_a_start_by_power_on_is_no_crash_and_writes_nothing(ground):
    made = board(ground, 0)
    run = ground.start(made)
    run.wait(10)
    assert run.flash_ops == 0
