"""Lock and unlock: what stops, what is seen on the board, and that it outlives a restart."""

import pytest

LED = 2
APP = b"""
def start(agent):
    n = 0
    while True:
        n += 1
        print("turn %d" % n)
        yield
"""


@pytest.fixture
def c(make_device):
    return make_device().go_online(led=LED)


def lock(device, unlock=False):
    since = len(device.run.log)
    device.backend.admin.lock(17, unlock=unlock)
    device.run.wait_log("commands: lock", since=since)
    device.settled()


def turns(device):
    """How many turns the application had while a command was answered."""
    since = len(device.run.log)
    device.settled()
    return sum("turn" in line for line in device.run.log[since:])


def test_a_lock_pauses_the_applications_and_an_unlock_lets_them_go_on(c):
    c.ends(c.backend.tasks.deploy_app(17, APP, "one"), "done")
    c.run.wait_log("turn 3")
    lock(c)
    assert turns(c) == 0
    since = len(c.run.log)
    lock(c, unlock=True)
    assert int(c.run.wait_log(r"turn (\d+)", since=since)[1]) > 3


def test_a_lock_outlives_a_restart(c):
    c.ends(c.backend.tasks.deploy_app(17, APP, "one"), "done")
    lock(c)
    c.restart()
    assert turns(c) == 0 and not c.said("turn")
    assert c.run.pins[LED] == 1


def test_the_led_shows_the_lock(c):
    assert c.run.pins[LED] == 0
    lock(c)
    assert c.run.pins[LED] == 1
    lock(c, unlock=True)
    assert c.run.pins[LED] == 0


def test_only_unlock_unlocks(c):
    lock(c)
    for message in ({"lock": "maybe"}, {}, {"lock": None}, {"unlock": "now"}):
        c.send("Lock", message)
    c.settled()
    assert c.run.pins[LED] == 1


def test_the_last_of_many_locks_counts(c):
    for _ in range(5):
        c.send("Lock", {"lock": "now"})
        c.send("Lock", {"lock": "unlock"})
    c.send("Lock", {"lock": "NOW"})
    c.settled()
    assert c.run.pins[LED] == 1


@pytest.mark.parametrize("generation", ["A", "B", "C"])
def test_a_lock_and_an_unlock_reach_a_board_that_was_off(make_device, generation):
    c = make_device(generation=generation).go_online(led=LED)
    for unlock in (False, True):
        c.run.kill()
        c.backend.admin.lock(17, unlock=unlock)
        c.start().wait_log("commands: lock")
        c.online()
        c.settled()
        assert c.run.pins[LED] == (not unlock)
