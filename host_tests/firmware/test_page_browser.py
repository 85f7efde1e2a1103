"""The set-up page in a real browser, in each of its states: valid, for everybody to use, on the
smallest phone, dark and light."""

import itertools
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from flyve_mdm.build import npm
from flyve_mdm.measure.setup_states import STATES, WORST
from flyve_mdm.patience import stretched
from host_tests.kit import checkers
from host_tests.kit.proxy import Fault

LONG = (
    {**STATES["failed"][0], "why": "W" * 200, "contact": "W" * 200, "backend": "w" * 200},
    [("W" * 32, 4, True)],
)
PAGES = {**STATES, "worst": WORST, "long": LONG}


@pytest.fixture(scope="module")
def pages(upy):
    """Each page as the board sends it, by its name."""
    return {
        name: b"".join(upy.call("page_calls", "pieces", values, [list(n) for n in networks]))
        for name, (values, networks) in PAGES.items()
    }


@pytest.fixture(scope="module")
def site(upy, pages, phone_browser):
    """The browser, for which /NAME is a page, and / the one that `now` names."""
    browser, proxy = phone_browser
    policy = upy.call("page_calls", "policy").decode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(pages[self.path[1:] or browser.now])

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    proxy.target = server.server_port
    yield browser
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def axe():
    try:
        return checkers.axe()
    except npm.NpmError as error:
        pytest.skip(f"axe-core is left out: {error}")


def show(browser, name, **look):
    browser.look(**look)
    browser.driver.get(f"http://192.168.4.1/{name}")
    return browser.driver


def test_all_pages_are_valid_and_the_checker_finds_one_that_is_not(pages, tmp_path):
    paths = []
    bad = b"<!DOCTYPE html><html lang=en><title>x</title><p><div id=a id=b></p>"
    for name, page in {**pages, "bad": bad}.items():
        paths.append(tmp_path / f"{name}.html")
        paths[-1].write_bytes(page)
    try:
        found = checkers.invalid(paths)
    except npm.NpmError as error:
        pytest.skip(f"the Nu Html Checker is left out: {error}")
    assert found and [line for line in found if "/bad.html" not in line] == []


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_everybody_can_use_it(site, axe, name, dark):
    assert checkers.unusable(show(site, name, dark=dark, width=320), axe) == []


@pytest.mark.browser
def test_the_judge_finds_what_not_everybody_can_use(site, axe):
    driver = show(site, "new")
    driver.execute_script("document.querySelector('[for=psk]').remove()")
    driver.execute_script("document.querySelector('h1').style.color = '#ddd'")
    found = {line.split(":")[0] for line in checkers.unusable(driver, axe)}
    assert found >= {"label", "color-contrast"}


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wider_than_the_smallest_phone(site, name):
    driver = show(site, name, width=320)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= 320


@pytest.mark.browser
def test_what_is_touched_is_as_large_as_a_finger(site):
    driver = show(site, "errors", width=320)
    heights = {
        element.get_attribute("outerHTML")[:60]: element.size["height"]
        for element in driver.find_elements(By.CSS_SELECTOR, "label.net, .text, .again, button")
    }
    assert len(heights) == 11 and min(heights.values()) >= 44, heights


@pytest.mark.browser
def test_it_is_dark_for_who_likes_it_dark(site):
    def brightness(dark):
        colour = show(site, "new", dark=dark).execute_script(
            "return getComputedStyle(document.body).backgroundColor"
        )
        return sum(map(int, colour[4:-1].split(",")))

    assert brightness(False) > 650 and brightness(True) < 100


@pytest.mark.browser
def test_nothing_moves_for_who_likes_it_still(site):
    def animation(still):
        style = "return getComputedStyle(document.querySelector('.wait')).animationName"
        return show(site, "joining", still=still).execute_script(style)

    assert (animation(False), animation(True)) == ("wait", "none")


@pytest.mark.browser
def test_the_field_for_another_network_is_there_when_that_is_chosen(site):
    driver = show(site, "new")
    other = driver.find_element(By.ID, "other")
    assert not other.is_displayed()
    driver.find_elements(By.NAME, "ssid")[-1].click()
    assert other.is_displayed()
    assert show(site, "alone").find_element(By.ID, "other").is_displayed()


def _text(driver):
    return driver.find_element(By.ID, "state").text


@pytest.mark.browser
@pytest.mark.parametrize("end", ["joined", "failed"])
def test_while_it_joins_what_is_new_appears_by_itself(site, end):
    site.now = "joining"
    site.look()
    driver = site.driver
    driver.get("http://192.168.4.1/")
    # A page that was loaded anew would not know it.
    driver.execute_script("window.same = true")
    state = driver.find_element(By.ID, "state")
    assert "Joining Home" in state.text and not driver.find_elements(By.TAG_NAME, "form")
    site.now = end
    wait = WebDriverWait(driver, stretched(20))
    wait.until(lambda d: "Joining" not in state.text)
    assert {"joined": "Joined Home", "failed": "Could not join Home"}[end] in state.text
    assert len(driver.find_elements(By.TAG_NAME, "form")) == (end == "failed")
    assert driver.title.startswith({"joined": "Joined", "failed": "Could not"}[end])
    assert driver.execute_script("return window.same")


@pytest.mark.browser
def test_a_phone_that_loses_the_network_for_a_while_goes_on(site, phone_browser):
    site.now = "joining"
    site.look()
    driver, proxy = site.driver, phone_browser[1]
    driver.get("http://192.168.4.1/")
    target, proxy.target, seen = proxy.target, 0, len(proxy.passages)
    wait = WebDriverWait(driver, stretched(20))
    wait.until(lambda d: len(proxy.passages) > seen + 1)
    assert "Joining" in _text(driver)
    proxy.target, site.now = target, "joined"
    wait.until(lambda d: "Joined" in _text(driver))


@pytest.mark.browser
def test_a_connection_that_is_lost_without_a_word_is_given_up(site, phone_browser):
    site.now = "joining"
    site.look()
    driver, proxy = site.driver, phone_browser[1]
    driver.get("http://192.168.4.1/")
    driver.execute_script("slow = setTimeout; setTimeout = (call, ms) => slow(call, ms / 10)")
    proxy.plan, seen = lambda number: Fault("freeze"), len(proxy.passages)
    wait = WebDriverWait(driver, stretched(20))
    wait.until(lambda d: [one for one in proxy.passages[seen:] if b"GET / " in one.up])
    proxy.plan, site.now = lambda number: None, "joined"
    wait.until(lambda d: "Joined" in _text(driver))


@pytest.mark.browser
def test_without_scripts_the_page_is_loaded_anew(site):
    site.now = "joining"
    site.look(scripts=False)
    site.driver.get("http://192.168.4.1/")
    site.now = "joined"
    wait = WebDriverWait(site.driver, stretched(20), ignored_exceptions=[Exception])
    wait.until(lambda d: "Joined" in _text(d))


@pytest.mark.browser
def test_a_script_from_outside_does_not_run(site):
    driver = show(site, "new")
    driver.execute_script(
        "const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
        "document.body.append(s)"
    )
    assert driver.execute_script("return window.ran") is None


def test_the_pages_are_all_judged():
    kinds = set(itertools.chain(*(values for values, _ in STATES.values())))
    assert kinds >= {"new", "away", "refused", "unreachable", "joining", "joined", "failed"}
