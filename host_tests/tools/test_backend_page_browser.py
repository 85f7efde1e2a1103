"""The page for pilots in a real browser: the whole story with a board, and for everybody."""

import io

import pytest
import segno
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from flyve_mdm.backend import agents
from flyve_mdm.build import npm
from flyve_mdm.patience import stretched
from host_tests.kit import checkers
from host_tests.kit.proxy import Fault
from host_tests.kit.sample import content

pytestmark = pytest.mark.browser
FAILED = """<REQUEST><CONTENT><FAILEDTASKS><TASKID>{}</TASKID><STATUS>failed</STATUS>
<REASON>{}</REASON></FAILEDTASKS></CONTENT></REQUEST>"""
LONG = "W" * 200
HOSTILE = "<script>window.ran = 1</script><img src=x onerror='window.ran = 1'>"


class Eyes:
    """What somebody sees and does in a browser, with or without scripts."""

    def __init__(self, browser, scripts=True):
        self.browser, self.driver, self._scripts = browser, browser.driver, scripts

    def until(self, see):
        """Waits until it is to be seen: a text, or what a function of the page finds."""
        wait = WebDriverWait(self.driver, stretched(20), ignored_exceptions=[Exception])
        return wait.until(lambda driver: self._sees(see))

    def _sees(self, see):
        found = see in self.text if isinstance(see, str) else see(self.driver)
        if not found and not self._scripts:
            self.driver.find_element(By.LINK_TEXT, "Refresh").click()
        return found

    @property
    def text(self):
        return " ".join(self.driver.find_element(By.TAG_NAME, "main").text.split())

    def type(self, field, text):
        self.driver.find_element(By.ID, field).send_keys(text)

    def press(self, text):
        """Clicks on a button or a link, which may just be replaced by a newer one."""
        either = f"//button[normalize-space()='{text}'] | //a[normalize-space()='{text}']"
        self.until(lambda driver: driver.find_element(By.XPATH, either).click() or True)

    def run(self, script):
        return self.driver.execute_script(script)

    def hurry(self):
        """The page waits a tenth of the time from now on."""
        self.run("const slow = setTimeout; setTimeout = (call, ms) => slow(call, ms / 10)")
        return self


@pytest.fixture
def browse(phone_browser):
    """Opens the page of a backend as the command tells it."""
    browser, proxy = phone_browser

    def go(backend, scripts=True, **look):
        proxy.target = backend.web.port
        browser.look(scripts=scripts, **look)
        browser.driver.get(backend.page)
        eyes = Eyes(browser, scripts)
        WebDriverWait(browser.driver, stretched(20)).until(
            lambda driver: driver.find_elements(By.ID, "summary")
        )
        return eyes

    yield go
    browser.look()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "none"])
def test_a_pilot_sees_the_whole_story(make_device, browse, tmp_path, scripts):
    device = make_device()
    eyes = browse(device.backend, scripts)
    assert "No device yet: invite somebody." in eyes.text
    eyes.type("email", "ada@example.org")
    eyes.press("Invite")
    link = eyes.until(lambda d: d.find_element(By.ID, "deeplink").get_property("value"))
    device.provision(email="ada@example.org", deeplink=link)
    device.start()
    eyes.press("To the devices")
    eyes.until("1 device, 1 online")
    serial = device.agent.serial
    eyes.press("Ping")
    eyes.until(f"{serial} answered the ping.")
    eyes.press(serial)
    song = tmp_path / "song.bin"
    song.write_bytes(content(100_000))
    eyes.type("file", str(song))
    eyes.press("Deploy the file")
    eyes.until("file song.bin to %SDCARD%/ done")
    assert device.board.read("/files/song.bin") == song.read_bytes()
    eyes.press("Unenroll …")
    assert f"Unenroll {serial}?" in eyes.text and device.backend.agents
    eyes.press("Unenroll it")
    eyes.until(f"{serial} is unenrolled.")
    assert "No device yet" in eyes.text
    device.run.wait_log("agent: unenrolled")


def test_the_token_is_neither_in_the_address_nor_in_reach_of_a_script(backend, browse):
    eyes = browse(backend)
    assert eyes.driver.current_url == f"{backend.origin}/"
    assert eyes.run("return document.cookie") == ""
    assert eyes.run("return document.referrer") == ""


def test_what_is_new_appears_by_itself_and_what_is_typed_stays(backend, device, browse):
    device(backend).enroll()
    eyes = browse(backend)
    eyes.run("window.same = true")
    eyes.type("email", "ada@")
    agents.set_online(backend.site, backend.agents[0], True)
    eyes.until("1 device, 1 online")
    field = eyes.driver.find_element(By.ID, "email")
    assert field.get_property("value") == "ada@" and eyes.run("return window.same")
    assert eyes.driver.switch_to.active_element == field


def test_the_place_of_the_keyboard_stays_when_its_row_changes(backend, device, browse):
    device(backend).enroll()
    eyes = browse(backend)
    eyes.run("document.getElementById('ping-17').focus()")
    agents.set_online(backend.site, backend.agents[0], True)
    eyes.until("1 device, 1 online")
    assert eyes.run("return document.activeElement.id") == "ping-17"


def test_all_is_reached_by_the_keyboard_and_seen_there(backend, device, browse):
    device(backend).enroll()
    eyes = browse(backend)
    seen = []
    for _ in range(5):
        eyes.driver.switch_to.active_element.send_keys(Keys.TAB)
        name = "document.activeElement.id || document.activeElement.textContent"
        style = "getComputedStyle(document.activeElement).outlineStyle"
        seen.append(eyes.run(f"return [{name}, {style}]"))
    assert [*map(tuple, seen[:4])] == [
        ("device-17", "solid"), ("ping-17", "solid"), ("email", "solid"), ("Invite", "solid"),
    ]  # fmt: skip
    eyes.run("document.getElementById('device-17').focus()")
    eyes.driver.switch_to.active_element.send_keys(Keys.ENTER)
    eyes.until("Deploy a file")


def test_a_backend_that_is_away_is_told_and_its_return_as_well(backend, browse):
    eyes = browse(backend).hurry()
    backend.web.stop()
    eyes.until("The backend does not answer: is it still running?")
    backend.web.start()
    eyes.until(lambda driver: "does not answer" not in eyes.text)


def test_a_backend_that_hangs_is_told_and_its_return_as_well(backend, browse, phone_browser):
    eyes, proxy = browse(backend).hurry(), phone_browser[1]
    proxy.plan = lambda number: Fault("freeze")
    for passage in list(proxy.passages):
        passage.freeze()
    eyes.until("The backend does not answer: is it still running?")
    proxy.plan = lambda number: None
    eyes.until(lambda driver: "does not answer" not in eyes.text)


def test_a_device_that_goes_is_told_on_its_own_page(backend, device, browse):
    device(backend).enroll()
    eyes = browse(backend)
    eyes.press("ESP32-0001")
    backend.admin.delete(17)
    eyes.until("This device is gone.")


@pytest.fixture
def busy(backend, device):
    """A backend with all that a page can show, and names as long and as bad as can be."""
    backend.options.answer_wait = 0.1
    for serial in ("ESP32-0001", "ESP32-0002"):
        device(backend, serial=serial).enroll()
    one, two = backend.agents
    agents.set_online(backend.site, one, True)
    task = backend.tasks.deploy_file(one, b"x", name=f"{HOSTILE}{LONG}")
    backend.state.status_of(task, one).status = "failed"
    reason = f"{HOSTILE}{LONG}".replace("<", "&lt;").replace(">", "&gt;")
    agents.store_inventory(backend.site, one, FAILED.format(task.id, reason))
    two.serial, two.name = f"{HOSTILE}{LONG}", f"{LONG}@example.org"
    backend.admin.move(one, backend.admin.fleet(one, LONG))
    backend.admin.lock(two)
    backend.admin.wipe(two)
    backend.invite(f"{LONG}@example.org")
    return backend


def _invite(eyes):
    eyes.type("email", "bob@example.org")
    eyes.press("Invite")
    eyes.until(lambda driver: driver.find_elements(By.ID, "deeplink"))


def _order(button):
    def do(eyes):
        eyes.driver.get(eyes.origin + "/page/device/17")
        eyes.press(button)
        eyes.until("Please check" if "Deploy" in button else "did not answer")

    return do


def _at(path):
    return lambda eyes: eyes.driver.get(eyes.origin + path)


STATES = {
    "list": lambda eyes: None,
    "device": _at("/page/device/17"),
    "hostile": _at("/page/device/18"),
    "question": _at("/page/device/18/wipe"),
    "gone": _at("/page/device/99"),
    "invited": _invite,
    "note": _order("Ping"),
    "wrong": _order("Deploy the application"),
    "stranger": lambda eyes: (eyes.driver.delete_all_cookies(), eyes.driver.refresh()),
}


@pytest.fixture
def show(busy, browse):
    """The page in one of these states."""

    def go(name, **look):
        eyes = browse(busy, **look)
        eyes.origin = busy.origin
        STATES[name](eyes)
        return eyes

    return go


@pytest.fixture(scope="module")
def axe():
    try:
        return checkers.axe()
    except npm.NpmError as error:
        pytest.skip(f"axe-core is left out: {error}")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", STATES)
def test_everybody_can_use_it_on_the_smallest_phone(show, axe, name, dark):
    eyes = show(name, dark=dark, width=320)
    assert checkers.unusable(eyes.driver, axe) == []
    assert eyes.run("return document.documentElement.scrollWidth") <= 320
    colour = eyes.run("return getComputedStyle(document.body).backgroundColor")
    light = sum(map(int, colour[4:-1].split(",")))
    assert light < 100 if dark else light > 650


@pytest.mark.parametrize("name", ["list", "device"])
def test_everybody_can_use_it_on_a_screen(show, axe, name):
    eyes = show(name, width=1000)
    assert checkers.unusable(eyes.driver, axe) == []
    assert eyes.run("return document.documentElement.scrollWidth") <= 1000


@pytest.mark.parametrize("name", ["list", "device", "question"])
def test_what_is_touched_is_as_large_as_a_finger(show, name):
    eyes = show(name, width=320)
    touched = eyes.driver.find_elements(By.CSS_SELECTOR, "button, .text, .ask, summary")
    heights = {e.get_attribute("outerHTML")[:60]: e.size["height"] for e in touched}
    assert heights and min(heights.values()) >= 44, heights


@pytest.mark.parametrize("name", ["list", "device", "hostile", "question"])
def test_what_a_device_wrote_runs_nowhere(show, name):
    eyes = show(name)
    assert "<script>window.ran = 1</script>" in eyes.text
    eyes.until(lambda driver: driver.execute_script("return document.readyState") == "complete")
    assert eyes.run("return window.ran") is None


def test_a_script_from_outside_does_not_run(show):
    eyes = show("list")
    eyes.run(
        "const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
        "document.body.append(s)"
    )
    assert eyes.run("return window.ran") is None


def test_the_code_on_the_screen_is_the_deeplink_to_the_dot(show):
    eyes = show("invited", dark=True)
    link = eyes.driver.find_element(By.ID, "deeplink").get_property("value")
    wanted = [list(row) for row in segno.make(link, error="m", micro=False).matrix_iter(border=4)]
    png = eyes.driver.find_element(By.CSS_SELECTOR, ".code svg").screenshot_as_png
    with Image.open(io.BytesIO(png)) as opened:
        picture = opened.convert("L")
    step, size = picture.width / len(wanted), range(len(wanted))
    seen = [
        [picture.getpixel((int((x + 0.5) * step), int((y + 0.5) * step))) < 128 for x in size]
        for y in size
    ]
    assert seen == [[bool(dot) for dot in row] for row in wanted]
