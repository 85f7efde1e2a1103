"""Many retained tasks: what is settled is told and not done again, and holds up nothing new."""

import binascii
import json
import time

import pytest

FINAL = ("done", "failed", "incompatible", "overriden")


@pytest.fixture(params=["B", "C"])
def off(request, make_device):
    """A device that is enrolled, and off."""
    device = make_device(generation=request.param).go_online(reconnect_spread=0)
    device.run.kill()
    return device


def settle(device, tasks, status=None):
    """The board has dealt with the tasks, as an agent of before the owner's line would have."""
    lines = []
    for i, task in enumerate(tasks):
        payload = json.dumps({**task.value, "taskId": task.id}, separators=(",", ":")).encode()
        origin = "agent" if task.agent_id else "fleet"
        crc, end = binascii.crc32(payload), status or FINAL[i % 4]
        lines.append(json.dumps([str(task.id), task.symbol.lower(), origin, crc, end, "true"]))
    device.board.write("/tasks.json", "\n".join(lines) + "\n")


def rows(device, tasks):
    return [device.backend.state.status_of(task, device.backend.admin.agent(17)) for task in tasks]


def told(device, tasks):
    """Waits until each task has been told of; returns their histories."""
    found = rows(device, tasks)
    device.backend.wait_for(lambda: all(len(row.history) > 1 for row in found), 20)
    return [row.history for row in found]


def cameras(device, target, count):
    """So many policies that no board can do."""
    return [device.backend.tasks.policy(target, "disableCamera", True) for _ in range(count)]


# A1
@pytest.mark.virtual
@pytest.mark.parametrize("count", [17, 132, 300])
def test_settled_tasks_are_told_once_without_a_write(make_device, count):
    device = make_device().go_online()
    device.run.kill()
    tasks = cameras(device, 17, count)
    settle(device, tasks)
    device.start()
    stamp = int(device.run.wait_log(r"(\d+) INFO link: online topic=")[1])
    histories = told(device, tasks)
    device.settled()
    time.sleep(0.5)
    device.run.kill()
    assert [h for h in histories if len(h) != 2] == []
    assert stamp < 2000 and device.run.flash_ops == 0


# A1
@pytest.mark.parametrize("report", ["rest", "both"])
def test_settled_tasks_are_told_over_rest_too(make_device, report):
    device = make_device().go_online(report=report)
    device.run.kill()
    tasks = cameras(device, 17, 40)
    settle(device, tasks)
    device.start()
    assert all(len(h) == 2 + (report == "both") for h in told(device, tasks)) or report == "both"
    found = rows(device, tasks)
    assert device.backend.wait_for(lambda: all(row.status in FINAL for row in found), 10)


# A1
def test_a_fleets_settled_tasks_hold_up_no_new_one(make_device):
    device = make_device(generation="A").go_online()
    fleet = device.backend.admin.fleet(17, "workshop")
    device.run.wait_log(r"commands: fleet \S+")
    device.run.kill()
    tasks = cameras(device, fleet, 40)
    device.start()
    found = rows(device, tasks)
    assert device.backend.wait_for(lambda: all(r.status == "incompatible" for r in found), 15)
    new = device.backend.tasks.policy(fleet, "periodicGeolocation", "3600")
    device.ends(new, "done")
    device.restart()
    assert device.backend.wait_for(lambda: all(len(r.history) > 3 for r in rows(device, tasks)))


# A1
def test_tasks_that_are_too_many_for_the_queue_are_all_done(off):
    tasks = [off.backend.tasks.remove_file(17, f"%SDCARD%/{'d' * 60}/{n}") for n in range(40)]
    fleet = off.backend.admin.fleet(17, "workshop")
    tasks += [off.backend.tasks.policy(fleet, "disableCamera", "x" * 900) for _ in range(20)]
    off.start()
    found = rows(off, tasks)
    off.backend.wait_for(lambda: all(row.status in FINAL for row in found), 20)
    assert [row.status for row in found] == ["done"] * 40 + ["incompatible"] * 20


# A1, A18
def test_files_that_fail_for_ever_hold_up_no_task_behind_them(make_device):
    device = make_device().go_online()
    device.run.kill()
    device.backend.fault("PluginFlyvemdmFile", "error")
    files = [device.backend.tasks.deploy_file(17, b"x" * 9, name=f"f{n}") for n in range(24)]
    tasks = cameras(device, 17, 24)
    device.start()
    found = rows(device, tasks)
    assert device.backend.wait_for(lambda: all(r.status == "incompatible" for r in found), 15)
    assert all(row.status not in FINAL for row in rows(device, files))


# A18
def test_a_file_that_fails_for_ever_delays_another_task_by_less_than_a_second(make_device):
    device = make_device().go_online()
    broken = device.backend.tasks.deploy_file(17, b"x" * 9, name="broken")
    device.ends(broken, "done")
    device.backend.fault("PluginFlyvemdmFile", "error")
    device.backend.tasks.update_file(broken.item, b"y" * 9)
    for _ in range(2):
        since = len(device.run.log)
        device.run.wait_log(rf"online: next try of task {broken.id} in \d+ ms", 20, since)
    started = time.monotonic()
    task = device.backend.tasks.policy(17, "periodicGeolocation", "3600")
    device.ends(task, "done")
    assert time.monotonic() - started < 1


def stale(device):
    """What a former agent's life has left on the broker; returns the tasks' ids."""
    file = device.backend.tasks.add_file(b"abc", "theirs.txt")
    value = {"deployFile": "%SDCARD%/", "id": str(file.id), "version": "1"}
    ids = [device.backend.tasks.stale_task(17, "deployFile", value)]
    value = {"periodicGeolocation": "1"}
    return ids + [
        device.backend.tasks.stale_task(17, "periodicGeolocation", value) for _ in range(20)
    ]


def is_stale(device, ids):
    for number in ids:
        device.run.wait_log(f"policies: task {number} is not ours: ignored", 15)


# A22
def test_a_former_agents_policies_do_not_run_on_the_next_one(make_device):
    device = make_device().go_online()
    device.run.kill()
    ids = stale(device)
    ours = device.backend.tasks.deploy_file(17, b"x" * 9, name="ours.txt")
    device.start()
    device.ends(ours, "done")
    is_stale(device, ids)
    assert len(device.gets("initSession")) == 2  # the enrollment's, and one for all
    live = device.backend.tasks.policy(17, "periodicGeolocation", "3600")
    device.ends(live, "done")
    device.run.kill()
    paths = dict(device.board.files())
    assert "/files/ours.txt" in paths and "/files/theirs.txt" not in paths


# A22
def test_an_agent_that_was_deleted_leaves_no_policy_to_the_next_one(make_device):
    device = make_device().go_online()
    old = device.backend.tasks.policy(17, "periodicGeolocation", "1")
    device.ends(old, "done")
    device.run.kill()
    device.backend.admin.delete(17)
    device.board.change(entries={("flyve", "rec.a"): None, ("flyve", "rec.b"): None})
    device.go_online()
    is_stale(device, [old.id])
    assert not device.backend.admin.agent(18).positions


# A22
def test_where_the_backend_cannot_be_asked_a_policy_is_run(make_device):
    device = make_device().go_online()
    device.run.kill()
    fault = device.backend.fault("search", "error")
    task = device.backend.tasks.policy(17, "periodicGeolocation", "3600")
    device.start()
    device.ends(task, "done", timeout=20)
    assert device.backend.options.faults == [fault]


# A22
def test_generation_b_cannot_be_asked(make_device):
    device = make_device(generation="B").go_online()
    device.run.kill()
    ids = stale(device)
    device.start().wait_log(f"policies: task {ids[-1]} done")


@pytest.fixture
def set_once(make_device):
    """A device with a policy, and off; and the policy's task."""
    device = make_device().go_online()
    task = device.backend.tasks.policy(17, "periodicGeolocation", "1")
    device.ends(task, "done")
    device.run.kill()
    return device, task


# A23
def test_a_policy_that_was_taken_back_while_the_board_was_off_ends(set_once):
    device, task = set_once
    device.backend.tasks.remove_task(task)
    device.start().wait_log(f"policies: task {task.id} removed", 15)
    before = len(device.backend.admin.agent(17).positions)
    time.sleep(1.5)
    assert len(device.backend.admin.agent(17).positions) == before


# A23
def test_a_policy_stays_whose_message_alone_is_gone(set_once):
    device, task = set_once
    device.backend.listener.publish(device.backend.tasks._task_topic(task), None, True)
    device.start()
    assert device.backend.wait_for(lambda: device.gets("search"), 15)
    device.settled()
    assert not device.said("removed")
    agent, before = device.backend.admin.agent(17), len(device.backend.admin.agent(17).positions)
    assert device.backend.wait_for(lambda: len(agent.positions) > before, 3)


# A30
@pytest.mark.parametrize("older", [False, True], ids=["this", "older"])
@pytest.mark.virtual
def test_the_tasks_of_a_lost_enrollment_are_done_by_the_next_one(make_device, older):
    first, second = make_device().go_online(), make_device()
    task = first.backend.tasks.deploy_file(17, b"x" * 9, name="f")
    first.ends(task, "done")
    first.run.kill()
    lines = first.board.read("/tasks.json").splitlines(True)
    second.board.write("/tasks.json", b"".join(lines[-1:] if older else lines))
    second.go_online()
    second.ends(second.backend.tasks.deploy_file(17, b"x" * 9, name="f"), "done")
    assert second.board.read("/files/f") == b"x" * 9
