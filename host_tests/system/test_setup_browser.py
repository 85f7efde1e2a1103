"""From power-on to online with a phone and no command: a person at the set-up page in a real
browser, and what the backend sees of it."""

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from flyve_mdm.build import npm
from host_tests.kit import checkers
from host_tests.kit.boards.virtual import PSK, SSID
from host_tests.system.person import Person
from host_tests.system.setting_up import HOME, Setting

pytestmark = [pytest.mark.virtual, pytest.mark.browser]


@pytest.fixture
def setting(make_device):
    return Setting(make_device(debug=True)).prepare()


@pytest.fixture
def person(setting, phone_browser):
    """A person whose phone has joined the network of a board that was just switched on."""
    setting.start()
    made = Person(setting, phone_browser)
    yield made
    made.go_away()


def test_a_tapped_link_and_a_network_bring_the_board_online(person, setting):
    person.open(setting.invite())
    assert person.driver.current_url == HOME, "no token stays in the address bar"
    assert "From Help desk" in person.driver.find_element(By.ID, "form").text
    person.choose(SSID).type(psk=PSK, email="user@example.org").press()
    person.arrives()
    assert setting.device.posts() == [201]
    assert not setting.device.run.setup


@pytest.mark.parametrize(
    "look",
    [{"width": 320, "dark": True}, {"scripts": False, "width": 320}],
    ids=["small and dark", "without scripts"],
)
def test_so_does_a_phone_of_another_kind(person, setting, look):
    person.browser.look(**look)
    person.open(setting.invite())
    assert person.driver.find_element(By.TAG_NAME, "body").size["width"] == 320
    person.choose(SSID).type(psk=PSK).press()
    person.arrives()


def test_so_does_a_keyboard_alone(person, setting):
    person.open(setting.invite())
    person.tab_to("ssid")
    person.keys(Keys.SPACE)
    person.tab_to("psk")
    person.keys(PSK)
    person.tab_to("email")
    person.keys("user@example.org")
    person.tab_to("button")
    person.keys(Keys.ENTER)
    person.arrives()


def test_a_pasted_link_and_another_network_by_name_do(person, setting):
    person.open("http://captive.apple.com/hotspot-detect.html")
    assert person.driver.current_url == HOME
    person.choose("Another network").type(other=SSID, psk=PSK, link=setting.invite()).press()
    person.arrives()


def test_a_wrong_passphrase_is_told_and_what_was_typed_is_kept_but_that(person, setting):
    person.open(setting.invite())
    person.choose(SSID).type(psk="not-this-one", email="user@example.org").press()
    assert "wrong passphrase" in person.sees(f"Could not join {SSID}")
    assert person.field("email").get_attribute("value") == "user@example.org"
    assert person.field("psk").get_attribute("value") == ""
    chosen = person.driver.find_element(By.CSS_SELECTOR, "[name=ssid]:checked")
    assert chosen.get_attribute("value") == SSID
    person.type(psk=PSK).press()
    person.arrives()


def test_the_network_that_was_chosen_last_is_kept(person, setting):
    person.open(setting.invite())
    person.choose("Another network").type(other="attic")
    person.choose(SSID).type(psk="not-this-one").press()
    person.sees(f"Could not join {SSID}")
    chosen = person.driver.find_elements(By.CSS_SELECTOR, "[name=ssid]:checked")
    assert [box.get_attribute("value") for box in chosen] == [SSID]


def test_what_is_missing_is_told_and_the_way_to_it_is_a_link(person, setting):
    person.open(HOME).choose(SSID).press()
    assert "Passphrase\nInvitation" in person.sees("Please check")
    person.driver.find_element(By.LINK_TEXT, "Passphrase").click()
    assert person.driver.switch_to.active_element.get_attribute("name") in ("psk", None)
    person.type(psk=PSK, link=setting.invite()).press()
    person.arrives()


def test_a_refused_invitation_is_told_and_a_right_address_enrolls(person, setting):
    person.open(setting.invite("user@example.org"))
    person.choose(SSID).type(psk=PSK, email="other@example.org").press()
    person.sees("Joined")
    setting.device.run.wait_log("enrollment: refused")
    person.arrive()  # the phone knows the network by now
    person.open(HOME)
    said = person.sees("The invitation was refused")
    assert "Wrong email" in said and "Help desk" in said
    link = setting.invite("user@example.org")
    # The network that the board knows is chosen, and its passphrase need not be typed again.
    person.type(link=link, email="user@example.org").press()
    person.arrives()


def test_two_phones_see_the_same_and_one_of_them_sends(person, setting):
    person.open(HOME)
    first = person.driver.current_window_handle
    person.driver.switch_to.new_window("tab")
    person.browser.look(dark=True)
    try:
        person.open(setting.invite())
        person.choose(SSID).type(psk=PSK).press()
        person.sees("Joining")
        person.driver.switch_to.window(first)
        person.choose(SSID).type(psk="another-try").press()  # too late, and without an effect
        person.arrives()
    finally:
        person.driver.switch_to.window(first)
        for other in [w for w in person.driver.window_handles if w != first]:
            person.driver.switch_to.window(other)
            person.driver.close()
        person.driver.switch_to.window(first)
    assert setting.networks() == [[SSID, PSK]]


def test_a_phone_that_leaves_after_it_has_sent_is_not_needed(person, setting):
    person.open(setting.invite())
    person.choose(SSID).type(psk=PSK).press()
    person.sees("Join")  # a slow phone may see nothing but the end of it
    person.go_away()
    setting.phone.leave()
    setting.device.run.wait_log(f"setup: joined {SSID}")
    setting.device.passes(31)  # in which the page would have told it
    setting.device.online(30)


def test_a_phone_that_leaves_in_the_middle_finds_the_page_as_it_was(person, setting):
    person.open(setting.invite())
    person.go_away()
    setting.phone.leave()
    setting.joined()
    person.arrive()
    person.open(HOME).choose(SSID).type(psk=PSK).press()
    person.arrives()


def test_everybody_can_use_the_board_s_own_page(person):
    try:
        assert checkers.unusable(person.open(HOME).driver, checkers.axe()) == []
    except npm.NpmError as error:
        pytest.skip(f"axe-core is left out: {error}")
