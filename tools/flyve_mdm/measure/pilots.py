"""`python -m flyve_mdm.measure.pilots FILE`: a picture of the page for pilots, as Chromium shows
it on a screen and on a phone; `make pictures` draws docs/pilots.webp."""

from __future__ import annotations

import sys
from pathlib import Path

from flyve_mdm import keeper
from flyve_mdm.backend import agents
from flyve_mdm.backend.model import Agent, Computer
from flyve_mdm.backend.server import Backend
from flyve_mdm.browser import Browser, missing
from flyve_mdm.measure import screens

_SCREEN, _PHONE = 860, 320
_DEVICES = (
    ("240AC4001A2B", "ada@example.org", True, "14:03:27"),
    ("240AC4003C4D", "grace@example.org", False, "11:48:02"),
    ("240AC4005E6F", "linus@example.org", True, "14:03:31"),
)
_WHY = """<REQUEST><CONTENT><FAILEDTASKS><TASKID>{}</TASKID><STATUS>failed</STATUS>
<REASON>no space: 1835008 bytes wanted, 921600 free</REASON></FAILEDTASKS></CONTENT></REQUEST>"""


def draw(path: Path) -> None:
    """Draws the list of some devices, and an invitation."""
    host = "backend.example.org"  # in the deeplink
    with Backend(host=host, bind="127.0.0.1") as backend, keeper.folder("flyve-pilots-") as folder:
        _people(backend)
        browser = Browser(backend.web.port)
        try:
            screen = _seen(browser, backend, _SCREEN, dark=False)
            phone = _seen(browser, backend, _PHONE, dark=True, email="ada@example.org")
            screens.frame(browser, folder, [screen, phone], _SCREEN + _PHONE, path)
        finally:
            browser.close()


def _people(backend: Backend) -> None:
    """Devices whose tasks ended well, but for one."""
    state = backend.state
    for serial, email, online, clock in _DEVICES:
        computer = state.add("computers", Computer, device_id=serial, serial=serial, entity=0)
        agent = state.add(
            "agents", Agent, name=email, version="2.0.0-esp32", computer_id=computer.id, user_id=0,
            owner_id=0, entity=0, serial=serial, topic=f"0/agent/{serial}",
            fleet_id=state.default_fleet.id, is_online=int(online),
        )  # fmt: skip
        for name in ("song.bin", "map.bin"):
            task = backend.tasks.deploy_file(agent, b"", name=name)
            state.status_of(task, agent).status = "done"
        agent.last_contact = f"2026-11-27 {clock}"
    last = backend.tasks.deploy_file(agent, b"", name="film.bin")
    state.status_of(last, agent).status = "failed"
    agents.store_inventory(backend.site, agent, _WHY.format(last.id))


def _seen(browser: Browser, backend: Backend, width: int, dark: bool, email: str = "") -> bytes:
    browser.look(width, dark)
    driver = browser.driver
    driver.get(backend.page)
    driver.get(backend.page.partition("?")[0])
    if email:
        driver.find_element("id", "email").send_keys(f"{email}\n")
        driver.find_element("id", "deeplink")
    return browser.picture(width)


def main() -> None:
    """Draws it; without a browser it leaves it as it is, with one line."""
    path = Path(sys.argv[1])
    without = missing()
    if without:
        print(f"{path} is left as it is: {without}", file=sys.stderr)
    else:
        draw(path)


if __name__ == "__main__":
    main()
