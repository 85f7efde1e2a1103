"""The set-up page, from a phone in the board's network to online as the backend sees it."""

import json
import urllib.parse

import pytest

from flyve_mdm.board.phone import Phone
from host_tests.kit.boards.virtual import PSK, SETUP_PSK, SSID
from host_tests.system.setting_up import HOME, OPEN, Setting

pytestmark = pytest.mark.virtual


@pytest.fixture
def setting(make_device):
    return Setting(make_device(debug=True)).prepare()


def test_a_tapped_link_and_a_chosen_network_bring_the_board_online(setting):
    setting.start()
    assert setting.tap(setting.invite()) == (303, HOME)
    assert "Help desk" in setting.page()
    assert setting.send()[0] == 303
    setting.arrives()
    assert setting.device.posts() == [201]
    assert not setting.device.run.setup, "the board's own network is still open"
    assert setting.device.secrets_on_board() == []


def test_a_pasted_link_a_typed_network_and_an_address_bring_it_online(setting):
    setting.start()
    link = setting.invite("other@example.org")
    status, _ = setting.send(ssid="", other=SSID, link=f" {link}\r\n", email="other@example.org")
    assert status == 303
    setting.arrives()
    setting.device.run.kill()
    assert json.loads(setting.device.board.read("/config.json"))["email"] == "other@example.org"
    wifi = setting.networks()
    assert wifi == [[SSID, PSK]]


def test_a_network_that_the_board_is_in_needs_no_passphrase(setting):
    setting.prepare(wifi=[["elsewhere", "another-one"], [SSID, PSK]]).start()
    setting.device.run.wait_log("wifi: connected")
    setting.tap(setting.invite())
    assert setting.send(psk="")[0] == 303
    setting.arrives()
    setting.device.run.kill()
    wifi = setting.networks()
    assert wifi == [[SSID, PSK], ["elsewhere", "another-one"]]


def test_a_wrong_passphrase_is_told_and_the_right_one_taken(setting):
    setting.start()
    setting.tap(setting.invite())
    assert setting.send(psk="wrong-passphrase", email="user@example.org")[0] == 303
    page = setting.shows("wrong passphrase")
    assert "wrong-passphrase" not in page and "user@example.org" in page
    assert setting.send()[0] == 303
    setting.arrives()


def test_a_network_that_is_not_there_is_told(setting):
    setting.start()
    setting.tap(setting.invite())
    setting.send(ssid="", other="attic")
    setting.shows("attic: not found")


def test_a_link_is_taken_in_every_form_in_which_it_may_come(setting):
    setting.start()
    link = setting.invite()
    data = link.partition("data=")[2]
    for path, host in (
        (f"/deeplink/?data={data}", "flyve.org"),
        (f"/deeplink?data={urllib.parse.quote(data, safe='')}", "mdm.example.org"),
        (f"/deeplink/?data={data.replace('+', '%20')}&utm_source=mail", "flyve.org"),
        (f"/{data}", "api.example.org"),
        (f"/url?q={urllib.parse.quote(link, safe='')}&sa=D", "www.google.example"),
        (f"/?url={urllib.parse.quote(link, safe='')}", "safelinks.example.org"),
        (f"/flyve-mdm-deeplink/?data={data}", "192.168.4.1"),
    ):
        since = len(setting.device.run.log)
        status, headers, _ = setting.phone.request(path, host=host)
        assert (status, headers["location"]) == (303, "/" if host[0] == "1" else HOME), path
        setting.device.run.wait_log("setup: an invitation to 127.0.0.1:", since=since)


def test_a_link_that_was_cut_is_told_on_the_page(setting):
    setting.start()
    assert setting.tap(setting.invite()[:60]) == (303, HOME)
    assert "This invitation cannot be used" in setting.page()
    assert "This invitation cannot be used" not in setting.page(), "it is told once"
    status, page = setting.send(link="http://flyve.org/deeplink/?data=xyz")
    assert status == 422 and "This invitation cannot be used" in page


def test_nothing_is_written_and_nothing_enrolls_before_the_button_is_pressed(setting):
    setting.start()
    before = setting.device.run.flash_ops
    setting.tap(setting.invite())
    setting.page()
    assert setting.send(psk="short")[0] == 422
    assert setting.device.run.flash_ops == before
    setting.device.run.kill()
    assert setting.device.secrets_on_board() == []
    assert not setting.device.backend.requests


def test_each_field_says_what_is_wrong_and_keeps_what_was_typed(setting):
    setting.start()
    status, page = setting.send(ssid="", other="x" * 33, psk="short-1", email="nobody")
    assert status == 422
    for text in ("at most 32 bytes", "8 to 63 characters", "name@example.org", "x" * 33,
                 "nobody", "Paste the invitation"):  # fmt: skip
        assert text in page, text
    assert "short-1" not in page
    assert "This network has a passphrase" in setting.send(psk="")[1]


@pytest.mark.parametrize(
    "host, path",
    [
        ("captive.apple.com", "/hotspot-detect.html"),
        ("connectivitycheck.gstatic.com", "/generate_204"),
        ("www.msftconnecttest.com", "/connecttest.txt"),
        ("www.msftncsi.com", "/ncsi.txt"),
        ("detectportal.firefox.com", "/canonical.html"),
        ("detectportal.firefox.com", "/success.txt?ipv4"),
    ],
)
def test_a_phones_question_for_the_internet_leads_to_the_page(setting, host, path):
    setting.start()
    assert setting.phone.lookup(host) == "192.168.4.1"
    status, headers, _ = setting.phone.request(path, host=host)
    assert (status, headers["location"]) == (302, HOME)


def test_a_passphrase_that_no_network_may_have_is_made_anew(setting):
    setting.device.board.nvs_set("flyve", "setup_psk", b"\xff" * 10)
    setting.device.start()
    psk = setting.device.run.wait_log(r"setup: network Flyve-\w{4} passphrase (\w{10})$")[1]
    setting.device.run.wait_log(OPEN)
    assert Phone(setting.device.board, setting.device.run).join(psk) == "joined"


def test_the_board_makes_a_passphrase_of_its_own_and_tells_it_once(setting):
    setting.device.board.change({}, {("flyve", "setup_psk"): None})
    setting.device.start()
    psk = setting.device.run.wait_log(r"setup: network Flyve-\w{4} passphrase (\w{10})$")[1]
    assert not set(psk) & set("01loiIO")
    setting.device.run.wait_log(OPEN)
    setting.device.run.kill()
    setting.device.start()
    setting.device.run.wait_log(OPEN)
    assert psk not in "\n".join(setting.device.run.log)


def test_setup_off_leaves_a_board_that_waits_for_its_port(setting):
    setting.prepare(wifi=[[SSID, PSK]], setup="off")
    setting.device.start()
    setting.device.run.wait_log("agent: waiting for a deeplink")
    setting.device.board.press_boot(0.5)
    setting.device.passes(301)
    assert not setting.device.said("setup: ")


def test_an_invited_board_and_an_enrolled_one_never_open_it(make_device):
    device = make_device()
    device.provision()
    device.start()
    device.online()
    device.board.press_boot(0.5)
    device.passes(400)
    device.restart()
    assert not device.said("setup: ")


def test_the_passphrases_are_in_no_answer_and_in_no_log(setting):
    setting.start()
    setting.tap(setting.invite())
    setting.send(psk="wrong-passphrase")
    page = setting.shows("wrong passphrase")
    text = page + "\n".join(setting.device.run.log)
    secrets = [s.decode() for s in setting.device.secrets()]
    assert not [s for s in (SETUP_PSK, "wrong-passphrase", *secrets) if s in text]
