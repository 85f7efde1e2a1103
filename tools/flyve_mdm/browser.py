"""A headless Chromium in the hands of Selenium, as a phone in a board's own network would be:
whatever name or address it is sent to, it reaches one port of this machine."""

from __future__ import annotations

import base64
import os
import shutil

from flyve_mdm import keeper
from flyve_mdm.patience import stretched

_SWITCHES = (
    "--headless=new",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    # As the small browser in which a phone shows a captive portal: no https that nobody asked for.
    "--disable-features=HttpsUpgrades,HttpsFirstBalancedModeAutoEnable",
)
_NAMES = ("chromium", "chromium-browser", "google-chrome")


def missing() -> str:
    """What is to be installed before there can be a Browser, or ""."""
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "no selenium here: pip install selenium"
    if not _chromium() or not shutil.which("chromedriver"):
        return "no Chromium with its driver here: apt-get install chromium chromium-driver"
    return ""


def _chromium() -> str | None:
    return next(filter(None, map(shutil.which, _NAMES)), None)


class Browser:
    """One browser; `driver` is Selenium's. port: where all that it asks for leads."""

    def __init__(self, port: int):
        from selenium import webdriver

        options = webdriver.ChromeOptions()
        options.binary_location = _chromium()
        for switch in (*_SWITCHES, f"--host-resolver-rules=MAP * 127.0.0.1:{port}"):
            options.add_argument(switch)
        if os.getuid() == 0:
            options.add_argument("--no-sandbox")
        self.folder = keeper.make_folder("flyve-browser-")  # it leaves things behind
        environment = {**os.environ, "TMPDIR": str(self.folder)}
        service = webdriver.ChromeService(shutil.which("chromedriver"), env=environment)
        self.driver = webdriver.Chrome(options, service)
        self.pids = (service.process.pid, self.driver.capabilities["goog:processID"])
        for pid in self.pids:
            keeper.keep(pid)
        self.driver.set_page_load_timeout(stretched(30))
        self.look()

    def close(self) -> None:
        """Ends it."""
        self.driver.quit()
        for pid in self.pids:
            keeper.forget(pid)
        keeper.remove_folder(self.folder)

    def look(
        self, width: int = 390, dark: bool = False, still: bool = False, scripts: bool = True
    ) -> None:
        """From the next page on it is a phone of that width, whose owner likes it dark, still, or
        without scripts."""
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if still else ""},
        ]
        self._tell("setEmulatedMedia", features=features)
        self._tell("setScriptExecutionDisabled", value=not scripts)
        self._size(width, 780)

    def picture(self, width: int, **how) -> bytes:
        """The whole page at that width; how: as Page.captureScreenshot has it, PNG by itself."""
        self._size(width, 100)
        self._size(width, self.driver.execute_script("return document.body.scrollHeight"))
        return base64.b64decode(self.driver.execute_cdp_cmd("Page.captureScreenshot", how)["data"])

    def _size(self, width: int, height: int) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": True}
        self._tell("setDeviceMetricsOverride", **size)

    def _tell(self, what: str, **parameters) -> None:
        self.driver.execute_cdp_cmd(f"Emulation.{what}", parameters)
