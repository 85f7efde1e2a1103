"""Retained commands: obeyed only when the agent's record at the backend says the same."""

import pytest

from flyve_mdm.build import firmware

STALE = {
    "Lock": {"lock": "now"},
    "Wipe": {"wipe": "now"},
    "Unenroll": {"unenroll": "now"},
}


@pytest.fixture
def off(make_device):
    """A device that is enrolled, and off; its clock is two hours later at the next start."""
    device = make_device().go_online(led=2, wipe_unverified_after=1)
    device.run.kill()
    device.backend.options.ntp_offset = 7200.0
    return device


def rest_is_away(device):
    """From now on the agent's record cannot be read; returns what ends that."""
    fault = device.backend.fault("PluginFlyvemdmAgent", "error")
    return lambda: device.backend.options.faults.remove(fault)


@pytest.mark.parametrize("name", STALE)
def test_a_stale_one_is_ignored(off, name):
    off.send(name, STALE[name], retain=True)
    off.start().wait_log(f"commands: retained {name.lower()} is stale: ignored")
    off.settled()
    assert off.run.pins[2] == 0 and not off.said("restarting") and not off.said("unenrolled")


def test_a_wipe_does_not_hit_the_next_agent_of_the_same_board(make_device):
    device = make_device().go_online(keep_wifi=True)
    device.backend.admin.wipe(17)
    device.run.wait_log("agent: waiting for a deeplink")
    device.run.kill()
    device.backend.admin.delete(17)
    device.provision()
    device.start()
    device.run.wait_log("commands: retained wipe is stale: ignored")
    assert device.backend.admin.ping(18, wait=5)


def test_it_is_checked_again_until_the_backend_answers(off):
    back = rest_is_away(off)
    off.backend.admin.lock(17)
    off.start().wait_log("online: next try in")
    off.online()
    off.settled()
    assert off.run.pins[2] == 0
    back()
    off.run.wait_log("commands: lock", 20)


@pytest.mark.parametrize("status", [401, 404])
def test_what_something_before_glpi_answers_does_not_mean_that_the_agent_is_gone(off, status):
    fault = off.backend.fault("PluginFlyvemdmAgent", "error", status=status)
    off.send("Unenroll", STALE["Unenroll"], retain=True)
    off.start().wait_log("online: next try in")
    off.backend.options.faults.remove(fault)
    off.run.wait_log("commands: retained unenroll is stale: ignored")


def test_a_wipe_that_cannot_be_checked_is_obeyed_after_the_time_that_is_set(off):
    rest_is_away(off)
    off.backend.admin.wipe(17)
    off.start().wait_log("agent: wiping", 20)


def test_a_wipe_that_cannot_be_checked_does_not_hit_an_agent_of_this_hour(off):
    off.backend.options.ntp_offset = 0.0
    back = rest_is_away(off)
    off.send("Wipe", STALE["Wipe"], retain=True)
    off.start().wait_log("online: next try in")
    off.run.wait_log("online: next try in", 20, len(off.run.log))
    back()
    off.run.wait_log("commands: retained wipe is stale: ignored", 20)


# A6
@pytest.mark.virtual
def test_an_agent_of_this_hour_is_one_also_when_the_clock_is_set_later(make_device):
    device = make_device(ntp_silent=True).go_online(wipe_unverified_after=1)
    rest_is_away(device)
    device.run.kill()
    device.send("Wipe", STALE["Wipe"], retain=True)
    device.start().wait_log("clock: no NTP server answered", 20)
    device.backend.options.ntp_silent = False
    device.later("clock: set to", 30)
    device.later("online: next try in", 30)
    device.later("online: next try in", 30)
    assert not device.said("to be wiped")
    device.later("agent: wiping", 3600)


def test_an_agent_without_the_right_to_read_its_record_does_not_leave(off):
    account = off.backend.state.users[off.agent.user_id]
    account.agent_id = None
    off.send("Unenroll", STALE["Unenroll"], retain=True)
    off.start().wait_log("online: ERROR_RIGHT_MISSING")
    account.agent_id = 17
    off.run.wait_log("commands: retained unenroll is stale: ignored", 20)


NOTED = """
from flyve import registry

def note(n):
    def run(agent, message, retained):
        print("noted", n)
        yield
    return run

for n in range(40):
    registry.commands["c%d" % n] = note(n)

from flyve.agent import main

main()
"""


# A9
def test_commands_that_found_no_place_in_the_queue_come_again(make_device):
    device = make_device().go_online()
    device.run.kill()
    device.board.write("/main.py", firmware.follow(NOTED))
    for n in range(30):
        device.send(f"C{n}", {"c": "x" * 100}, retain=True)
    device.start()
    device.online()
    for n in range(30):
        device.run.wait_log(f"^noted {n}$")
    device.settled()
    assert device.said("noted") == 30
