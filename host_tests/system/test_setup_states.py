"""When the set-up page opens, what it says of the board, and when it closes."""

import pytest

from flyve_mdm.board import provision
from flyve_mdm.board.target import open_target
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
    setting.shows("None of its networks is there.")
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
