"""Policies and their tasks, as an administrator sets them and the backend sees their statuses."""

import pytest


@pytest.fixture(params=["A", "B", "C"])
def online(request, make_device):
    return make_device(generation=request.param).go_online()


@pytest.fixture
def c(make_device):
    return make_device().go_online()


def status(device, task, wanted, wait=8):
    """Waits until the backend has the wanted status of the task."""
    found = device.backend.tasks.wait_task(task, wait)
    assert found == wanted, "\n".join(device.run.log)


def test_a_policy_that_no_board_can_do_is_incompatible(online):
    status(online, online.backend.tasks.policy(17, "disableCamera", "true"), "incompatible")


def test_a_policy_that_the_board_can_do_is_done(online):
    status(online, online.backend.tasks.policy(17, "periodicGeolocation", "3600"), "done")


def test_switching_the_wifi_off_is_incompatible(c):
    status(c, c.backend.tasks.policy(17, "disableWifi", "true"), "incompatible")


def test_a_file_that_is_not_there_is_removed_all_the_same(online):
    status(online, online.backend.tasks.remove_file(17, "%SDCARD%/none.txt"), "done")


@pytest.mark.parametrize(
    "path",
    ["%SDCARD%/../config.json", "/config.json", "/flyve/agent.mpy", "%HOME%/x", "%SDCARD%/a/.."],
)
def test_a_path_outside_the_roots_fails_and_nothing_changes(c, path):
    before = dict(c.board.files())
    status(c, c.backend.tasks.remove_file(17, path), "failed")
    changed = {"/tasks.json", "/outbox.json", "/failures.json"}
    after = {p: n for p, n in c.board.files() if p not in changed}
    assert after == {p: n for p, n in before.items() if p not in changed}


def test_a_replay_after_a_restart_answers_again_without_doing_it_again(c):
    task = c.backend.tasks.policy(17, "disableCamera", "true")
    status(c, task, "incompatible")
    c.run.kill()
    seen = len(c.backend.events)
    c.start()
    c.online()
    c.run.wait_log(rf"policies: task {task.id} incompatible")
    assert not any("not for this kind" in line for line in c.run.log)
    assert len(c.backend.events) > seen


RAISING = """
import sys
from flyve import registry
from flyve.agent import main

def apply(agent, value, message, task):
    yield
    if value == "raise":
        sys.exit()

def revert(agent, value):
    raise RAISED

registry.policies["disablecamera"] = apply, revert
main()
"""


# A8
@pytest.mark.parametrize("raised", ["SystemExit", "ValueError(3)", "OSError(5)"])
def test_what_a_firmware_author_has_added_may_raise_anything(c, raised):
    c.run.kill()
    c.board.write("/main.py", RAISING.replace("RAISED", raised))
    c.start()
    c.online()
    status(c, c.backend.tasks.policy(17, "disableCamera", "raise"), "failed")
    task = c.backend.tasks.policy(17, "disableCamera", "true")
    status(c, task, "done")
    c.backend.tasks.remove_task(task)
    c.run.wait_log(rf"policies: task {task.id} disablecamera: not reverted: ")
    c.run.wait_log(f"policies: task {task.id} removed")
    c.settled()
    assert not c.said("next try of task")
