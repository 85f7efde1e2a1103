"""A person with a phone, which is a real browser, at a board's set-up page."""

from __future__ import annotations

from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from flyve_mdm.patience import stretched
from host_tests.system.setting_up import HOME, Setting


class Person:
    """What the person does and sees; the phone is in the board's network."""

    def __init__(self, setting: Setting, phone_browser):
        self.setting = setting
        self.browser, self.road = phone_browser
        self.driver = self.browser.driver
        self.browser.look()
        self.arrive()

    def arrive(self):
        """The phone is in the board's network, wherever that is now."""
        self.road.target = self.setting.phone.ports()[0]

    def go_away(self):
        """The phone is in no network any more."""
        self.road.target = 0
        for passage in self.road.passages:
            passage.cut()

    def open(self, address=HOME):
        """Opens an address, as a link that is tapped does."""
        self.driver.get(address)
        return self

    def choose(self, ssid):
        """Touches a network."""
        for label in self.driver.find_elements(By.CSS_SELECTOR, "label.net"):
            if label.text == ssid:
                label.click()
        return self

    def field(self, name):
        """The field of that name."""
        return self.driver.find_element(By.ID, name)

    def type(self, **fields):
        """Types into fields, anew."""
        for name, text in fields.items():
            self.field(name).clear()
            self.field(name).send_keys(text)
        return self

    def press(self):
        """Presses the button."""
        self.driver.find_element(By.TAG_NAME, "button").click()
        return self

    def keys(self, *keys):
        """Types on a keyboard, wherever the focus is."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def tab_to(self, name):
        """Goes on with Tab until the focus is in a field of that name."""
        for _ in range(30):
            self.keys(Keys.TAB)
            focused = self.driver.switch_to.active_element
            if name in (focused.get_attribute("name"), focused.tag_name):
                return focused
        raise AssertionError(f"no Tab leads to {name}")

    def sees(self, text, timeout=20):
        """Waits until the state of the board has the text; returns all of that."""

        def there(driver):
            state = driver.find_element(By.ID, "state").text
            return text in state and state

        wait = WebDriverWait(
            self.driver,
            stretched(timeout),
            0.1,
            (StaleElementReferenceException, WebDriverException),
        )
        return wait.until(there)

    def arrives(self):
        """The page says that the board has joined, and the backend sees it online."""
        self.sees("Joined")
        self.setting.device.online(30)
