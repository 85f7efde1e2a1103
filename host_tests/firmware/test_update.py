"""The states of an update, as the agent asks for them."""

import pytest

from host_tests.kit.packages import entry

STATUS = "from flyve.jobs import update\nprint(update.status())\n"
STARTED = 1 | 2 << 2 | 1 << 4  # a in use, b on trial and started once
A_IS_WHAT_TO_FALL_BACK_TO = 2 << 16
FAILED, CONFIRMED = 1 | 128, 2 | 64


def ask(bench, update, script, **keys):
    made = bench.board()
    keys["update"] = update
    made.change(entries={("flyve", key): value for key, value in keys.items()})
    bench.script(made, STATUS + script)
    run = bench.start(made)
    run.wait_log("^asked$")
    run.kill()
    return made, [line for line in run.log if not line.startswith(("board:", "flash ops"))][:-1]


ASKED = "\nprint('asked')\n"


@pytest.mark.parametrize(
    "update, status",
    [(0, "None"), (1, "None"), (STARTED, "trial"), (FAILED, "failed"), (CONFIRMED, "confirmed"),
     (17 << 8, "failed")],
)  # fmt: skip
def test_the_status_is_that_of_the_newest_update(bench, update, status):
    assert ask(bench, update, ASKED)[1] == [status]


def test_a_confirmed_slot_is_the_one_in_use(bench):
    made, lines = ask(bench, STARTED, "update.confirm()\nprint(update.status())" + ASKED)
    assert lines == ["trial", "confirmed"]
    assert entry(made, "update") == CONFIRMED | A_IS_WHAT_TO_FALL_BACK_TO


@pytest.mark.parametrize("update", [0, 1, FAILED])
def test_what_is_not_on_trial_is_not_confirmed(bench, update):
    assert entry(ask(bench, update, "update.confirm()" + ASKED)[0], "update") == update


@pytest.mark.parametrize("update, slot", [(FAILED, 1), (CONFIRMED, 2), (17 << 8, 0)])
def test_an_end_that_was_reported_is_forgotten(bench, update, slot):
    assert entry(ask(bench, update, "update.forget()" + ASKED)[0], "update") == slot


def test_a_trial_is_not_forgotten_and_lets_no_other_update_begin(bench):
    script = """
        update.forget()
        print(update.status())
        try:
            update.spare()
        except registry.Failed as e:
            print(e)
        """
    script = script.replace("\n        ", "\n") + ASKED
    assert ask(bench, STARTED, script)[1] == ["trial", "trial", "an update is on trial"]


@pytest.mark.parametrize("update, spare", [(0, 1), (1, 2), (2, 1)])
def test_the_spare_slot_is_not_the_one_in_use(bench, update, spare):
    made, lines = ask(bench, update, "print(update.spare()[0])" + ASKED)
    assert lines[1] == str(spare)


def test_five_crashes_are_safe_mode_until_the_agent_is_stable(bench):
    script = (
        """
from flyve import log

class Agent:
    trial = False
    online = wifi = None

print(update.safe_mode())
log._uptime = 200000
left, trial = update.settle(Agent)
print(left <= 100001 and update.safe_mode())
log._uptime = 300001
print(update.settle(Agent))
print(update.safe_mode())
"""
        + ASKED
    )
    made, lines = ask(bench, 0, script, crashes=4)
    assert lines[1:] == ["False", "False", "(None, False)", "False"]
    made, lines = ask(bench, 0, script, crashes=5)
    assert lines[1:] == ["True", "True", "(None, False)", "False"]
    assert entry(made, "crashes") == 0
