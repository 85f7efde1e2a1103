"""The LED of a whole board: joining, online, in trouble; a lock goes before them."""

import time

import pytest

from flyve_mdm.patience import stretched

pytestmark = pytest.mark.virtual
PIN = 2


def shown(device):
    """Times a second and % of it; or the level, when it does not blink."""
    often, duty = device.run.waves.get(PIN, (0, 0))
    return (often, round(duty / 655.35)) if often else device.run.pins[PIN]


def until(device, wanted):
    """Waits until that is shown."""
    deadline = time.monotonic() + stretched(15)
    while shown(device) != wanted:
        assert time.monotonic() < deadline, (shown(device), device.run.log[-10:])
        time.sleep(0.01)


def test_it_tells_of_joining_being_online_and_trouble(make_device):
    c = make_device()
    c.board.set_air({}, 20)
    c.provision(led=PIN)
    c.start()
    c.run.wait_log("wifi: .*: not found")
    until(c, (1, 90))
    c.board.set_air({c.wifi[0]: c.wifi[1]}, 20)
    until(c, (5, 50))
    c.online()
    assert shown(c) == (1, 4)
    c.backend.broker.stop()
    c.run.wait_log("link: .* next try|link: offline")
    until(c, (1, 90))


def test_a_lock_is_seen_until_it_ends_and_no_link_hides_it(make_device):
    c = make_device().go_online(led=PIN)
    c.backend.admin.lock(17)
    c.run.wait_log("commands: lock")
    c.settled()
    assert shown(c) == 1
    c.restart()
    assert shown(c) == 1
    c.backend.admin.lock(17, unlock=True)
    c.settled()
    assert shown(c) == (1, 4)


def test_a_board_that_waits_is_dark_and_a_refused_one_in_trouble(make_device):
    c = make_device(refuse_post="Too many devices")
    c.provision(led=PIN, setup="off")
    c.board.remove("/deeplink")
    c.start().wait_log("agent: waiting for a deeplink")
    until(c, 0)
    c.run.kill()
    c.provision(led=PIN, setup="off")
    c.start().wait_log("agent: waiting for a deeplink")
    assert shown(c) == (1, 90)


def test_the_set_up_page_has_the_led_to_itself_while_it_is_open(make_device):
    c = make_device()
    c.provision(led=PIN)
    c.board.remove("/deeplink")
    c.board.set_air({}, 20)
    c.start().wait_log("setup: network Flyve-.* is open")
    c.run.wait_log("wifi: .*: not found", 30)
    until(c, (1, 50))
