"""boot.py's decisions: which slot is on the path, and what counts as a crash."""

import pytest

from host_tests.kit.packages import entry

SHOW = "import sys\nprint(sys.path[0])\n"
TRIAL_B = 1 | 2 << 2  # slot a in use, b on trial


def board(bench, update, script=SHOW, crashes=0):
    made = bench.board(script)
    made.change(entries={("flyve", "update"): update, ("flyve", "crashes"): crashes})
    return made


def first_path(bench, made):
    run = bench.start(made)
    found = run.wait_log("^$|^/flyve", 10).string
    run.kill()
    return found


@pytest.mark.parametrize("update, path", [(0, ""), (1, "/flyve.a"), (2, "/flyve.b")])
def test_the_slot_in_use_is_first_on_the_path(bench, update, path):
    assert first_path(bench, board(bench, update)) == path


def test_a_slot_on_trial_goes_before_the_one_in_use_and_its_start_is_counted(bench):
    made = board(bench, TRIAL_B)
    assert first_path(bench, made) == "/flyve.b"
    assert entry(made, "update") == TRIAL_B + 16


def test_three_starts_by_power_on_are_all_that_a_trial_gets(bench):
    made = board(bench, TRIAL_B)
    found = [first_path(bench, made) for _ in range(4)]
    assert found == ["/flyve.b"] * 3 + ["/flyve.a"]
    assert entry(made, "update") == 1 | 128


def test_a_reset_ends_a_trial_that_was_started(bench):
    script = SHOW + "import machine\nif machine.reset_cause() == 1:\n    machine.reset()\n"
    made = board(bench, TRIAL_B, script)
    run = bench.start(made)
    run.wait_log("^/flyve.a")
    run.kill()
    assert "/flyve.b" in run.log
    assert entry(made, "update") == 1 | 128
    assert entry(made, "crashes") == 1


def test_the_row_of_crashes_is_bounded(bench):
    script = "import machine\nif machine.reset_cause() == 1:\n    machine.reset()\n"
    made = board(bench, 0, script, crashes=99)
    bench.lines(made)
    assert entry(made, "crashes") == 99


def test_a_start_by_power_on_is_no_crash_and_writes_nothing(bench):
    made = board(bench, 0)
    run = bench.start(made)
    run.wait(10)
    assert run.flash_ops == 0


BUILT_IN = ("binascii", "collections", "errno", "hashlib", "json", "machine", "os", "random",
            "select", "socket", "struct", "time")  # fmt: skip


def test_built_in_modules_are_not_searched_for_on_the_flash(bench):
    made = bench.board(f"""
import sys
from machine import flash_reads
before = flash_reads()
for name in {BUILT_IN!r}:
    __import__(name)
print("reads", flash_reads() - before)
""")
    assert "reads 0" in bench.lines(made)


def test_a_file_still_takes_the_place_of_a_built_in_module(bench):
    made = bench.board("import collections, random\nprint(collections.OURS, random.OURS)\n")
    made.change({"/lib/collections/__init__.py": b"OURS = 1\n", "/random.py": b"OURS = 2\n"})
    assert "1 2" in bench.lines(made)
