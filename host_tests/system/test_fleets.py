"""Fleets: whose policies count, and what a move to another fleet changes."""

import time

import pytest

from flyve_mdm.board.life import EXIT_CUT


@pytest.fixture(params=["B", "C"])
def online(request, make_device):
    return make_device(generation=request.param).go_online()


def in_fleet(online, name="workshop"):
    fleet = online.backend.admin.fleet(17, name)
    online.run.wait_log(rf"commands: fleet \S*/fleet/{fleet.id}$")
    return fleet


def test_a_fleets_file_arrives(online):
    fleet = in_fleet(online)
    online.ends(online.backend.tasks.deploy_file(fleet, b"abc", name="f"), "done")
    assert online.board.read("/files/f") == b"abc"


def test_the_agents_own_policy_beats_its_fleets(online):
    fleet = in_fleet(online)
    online.ends(online.backend.tasks.policy(17, "periodicGeolocation", "3600"), "done")
    online.ends(online.backend.tasks.policy(fleet, "periodicGeolocation", "60"), "overriden")


def test_an_own_policy_that_comes_later_beats_the_fleets_too(online):
    fleet = in_fleet(online)
    theirs = online.backend.tasks.policy(fleet, "periodicGeolocation", "60")
    online.ends(theirs, "done")
    online.ends(online.backend.tasks.policy(17, "periodicGeolocation", "3600"), "done")
    history = online.history(theirs)
    assert online.backend.wait_for(lambda: history[-1] == "overriden", 5)


@pytest.mark.parametrize("develop", [False, True], ids=["empty", "default"])
def test_the_fleets_counts_again_when_the_own_one_is_taken_back(make_device, develop):
    online = make_device(develop=develop).go_online()
    fleet = in_fleet(online)
    own = online.backend.tasks.policy(17, "periodicGeolocation", "3600")
    online.ends(own, "done")
    theirs = online.backend.tasks.policy(fleet, "periodicGeolocation", "60")
    online.ends(theirs, "overriden")
    online.backend.tasks.remove_task(own)
    history = online.history(theirs)
    assert online.backend.wait_for(lambda: history[-1] == "done", 5), online.run.log


def test_the_policies_of_the_fleet_that_was_left_end(online):
    fleet = in_fleet(online)
    online.ends(online.backend.tasks.policy(fleet, "periodicGeolocation", "1"), "done")
    agent = online.backend.admin.agent(17)
    assert online.backend.wait_for(lambda: agent.positions, 5)
    online.backend.admin.fleet(17, None)
    online.run.wait_log("commands: fleet None")
    online.run.wait_log("policies: task 1 removed")


def test_what_an_old_fleet_gets_is_nothing_to_us(online):
    old = in_fleet(online)
    new = in_fleet(online, "office")
    online.backend.tasks.deploy_file(old, b"abc", name="old")
    online.ends(online.backend.tasks.deploy_file(new, b"abc", name="new"), "done")
    assert "/files/old" not in dict(online.board.files())


def test_bluetooth_is_switched_off(online):
    online.ends(online.backend.tasks.policy(17, "disableBluetooth", True), "done")


def test_a_value_that_is_none_fails(online):
    online.ends(online.backend.tasks.policy(17, "periodicGeolocation", "often"), "failed")
    online.ends(online.backend.tasks.policy(17, "disableWifi", "perhaps"), "failed")


def test_a_message_that_is_too_long_fails(online):
    online.ends(online.backend.tasks.policy(17, "disableCamera", "x" * 5000), "failed")
    online.run.wait_log("message over 4096 bytes")


def test_malformed_json_fails(online):
    task = online.backend.tasks.policy(17, "periodicGeolocation", "60")
    online.ends(task, "done")
    topic = online.backend.admin.agent(17).topic + f"/Policy/periodicGeolocation/Task/{task.id}"
    online.backend.listener.publish(topic, "{no json", True)
    history = online.history(task)
    assert online.backend.wait_for(lambda: history[-1] == "failed", 5)
    online.run.wait_log("malformed message")


def test_the_fleet_is_heard_again_after_a_restart(make_device):
    online = make_device(generation="A").go_online()
    fleet = in_fleet(online)
    online.restart()
    online.ends(online.backend.tasks.policy(fleet, "periodicGeolocation", "60"), "done")


@pytest.mark.virtual
@pytest.mark.parametrize("cut", [2, 4, 6])
def test_a_power_cut_at_a_write_of_a_move_leaves_nothing_of_the_old_fleet(make_device, cut):
    online = make_device().go_online()
    fleet = in_fleet(online)
    online.ends(online.backend.tasks.policy(fleet, "periodicGeolocation", "3600"), "done")
    online.run.kill()
    online.backend.admin.fleet(17, "office")
    online.start(cut_after=cut)
    assert online.run.wait() == EXIT_CUT
    online.start()
    online.online()
    online.settled()
    time.sleep(1)
    online.run.kill()
    assert online.board.read("/tasks.json") == b""
