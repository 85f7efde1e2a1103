"""When the set-up page opens, what it says of the board, and when it closes."""

import pytest

from flyve_mdm.board import provision
from flyve_mdm.board.target import open_target
from flyve_mdm.build import firmware
from host_tests.kit.boards.virtual import PSK, SSID
from host_tests.system.setting_up import OPEN, Setting

pytestmark = pytest.mark.virtual
RETRIED = "agent: the backend is tried again: restarting"
REFUSED = "Ask the helpdesk for a new invitation."
NO_WAY = "agent: no way to the backend since the start: the set-up page opens"


@pytest.fixture
def setting(make_device):
    return Setting(make_device(debug=True))


def test_known_networks_that_are_away_are_told_and_tried_while_the_page_is_open(setting):
    setting.prepare(wifi=[[SSID, PSK]], aps={"attic": ""}).start()
    setting.shows("The board is in none of the networks that it knows.")
    setting.phone.leave()
    setting.air()
    setting.device.later("wifi: connected", 61)
    setting.device.run.wait_log("agent: waiting for a deeplink")


def test_a_refusal_is_told_with_the_helpdesk_and_another_invitation_enrolls(setting):
    device = setting.device
    device.backend.options.refuse_post = "Too many devices"
    device.provision()
    device.start()
    setting.joined()
    page = setting.shows(REFUSED)
    assert "Too many devices" in page and "support@example.org" in page
    device.backend.options.refuse_post = ""
    setting.tap(setting.invite())
    assert setting.send()[0] == 303
    setting.arrives()


def test_a_used_up_invitation_is_told_on_the_page(setting):
    device = setting.device
    link = device.provision()
    device.start()
    device.online()
    device.run.kill()
    provision.forget(open_target(str(device.board.path)))
    setting.start()
    setting.tap(link)
    assert setting.send()[0] == 303
    setting.shows("Joined ")
    device.run.wait_log("enrollment: refused", 30)
    setting.joined()
    assert "Invitation is not pending" in setting.shows(REFUSED)


def test_a_backend_that_is_away_is_told_after_five_minutes_and_tried_again_after_ten(setting):
    device = setting.device
    fault = device.backend.fault("initSession", "error", status=503)
    device.provision()
    device.start()
    device.run.wait_log("enrollment: next try")
    assert not device.run.setup
    device.later(NO_WAY, 301)
    setting.joined()
    page = setting.shows("Check the network, or choose another.")
    assert "overloaded" in page and "Help desk" in page and "127.0.0.1" in page
    setting.phone.leave()
    device.backend.options.faults.remove(fault)
    device.later(RETRIED, 601)
    device.online(30)
    assert not device.run.setup


def test_an_invited_board_whose_network_is_away_opens_the_page_until_it_is_there(setting):
    device = setting.device
    device.provision()
    setting.air({"attic": ""})
    device.start()
    device.run.wait_log("wifi: flyve: not found", 20)
    device.later(NO_WAY, 301)
    device.run.wait_log(OPEN)
    setting.air()
    device.run.wait_log(RETRIED, 30)
    device.online(30)


def test_another_network_is_chosen_for_an_invitation_that_the_board_holds(setting):
    device = setting.device
    device.provision()
    setting.air({"attic": "attic-psk"})
    device.start()
    device.run.wait_log("wifi: flyve: not found", 20)
    device.later(NO_WAY, 301)
    setting.joined()
    assert setting.send(ssid="attic", psk="attic-psk")[0] == 303
    setting.arrives()
    device.run.kill()
    assert setting.networks() == [["attic", "attic-psk"], [SSID, PSK]]


def test_a_damaged_deeplink_is_refused_on_the_page_though_no_network_is_there(setting):
    device = setting.device
    device.provision()
    device.board.write("/deeplink", b"http://flyve.org/deeplink/?data=damaged")
    setting.air({"attic": "attic-psk"})
    device.start()
    device.run.wait_log("wifi: flyve: not found", 20)
    device.later(NO_WAY, 301)
    setting.joined()
    assert "DEEPLINK too few fields" in setting.shows(REFUSED)
    setting.tap(setting.invite())
    assert setting.send(ssid="attic", psk="attic-psk")[0] == 303
    setting.arrives()


def test_a_board_that_has_just_been_set_up_is_not_taken_for_a_lost_one(setting):
    device = setting.prepare().start().device
    device.passes(270)
    setting.tap(setting.invite())
    setting.send()
    setting.phone.leave()
    device.run.wait_log("setup: joined")
    device.later("agent: set up: restarting", 31)
    assert not device.said(NO_WAY)
    device.online(30)


FAULTS = """
import socket
import sys

class Faulty:
    def __init__(self, real):
        self._real = real

    def __getattr__(self, name):
        return getattr(self._real, name)

    def recvfrom(self, size):
        if faults:
            raise faults.pop()
        return self._real.recvfrom(size)

class Sockets:
    def __getattr__(self, name):
        return getattr(socket, name)

    def socket(self, *how):
        if faults and how[1:] == (socket.SOCK_DGRAM,) and isinstance(faults[-1], OSError):
            raise faults.pop()
        return Faulty(socket.socket(*how))

faults = [ValueError("a fault"), OSError(23)]
sys.modules["socket"] = Sockets()
from flyve.agent import main

main()
"""


def test_a_page_that_could_not_open_or_failed_opens_again_by_itself(setting):
    device = setting.prepare().device
    device.board.write("/main.py", firmware.follow(FAULTS))
    device.start()
    device.run.wait_log("setup: no network of our own: ENFILE")
    device.later("setup: the page is closed: ValueError", 31)
    device.later(OPEN, 31)
    setting.joined()
    setting.page()


def test_the_page_closes_after_ten_minutes_and_boot_opens_it_again(setting):
    device = setting.prepare().device
    device.start()
    device.run.wait_log(OPEN)
    device.later("setup: network Flyve-.* is closed: BOOT opens it", 601)
    device.run.wait_log("setup: closed")
    assert not device.run.setup
    since = len(device.run.log)
    device.board.press_boot(0.3)
    device.run.wait_log(OPEN, since=since)


def test_the_page_stays_for_a_phone_and_closes_after_thirty_minutes(setting):
    device = setting.prepare().start().device
    device.passes(1200)
    setting.page()
    device.passes(1200)
    assert device.run.setup
    device.later("is closed: BOOT opens it", 700)


def test_boot_held_for_long_is_the_reset_that_it_was(setting):
    device = setting.prepare().start().device
    device.board.press_boot(9)
    device.run.wait_log("agent: reset by its button: restarting", 20)
    device.run.wait_log("agent: waiting for a deeplink|" + OPEN)
