"""`python -m flyve_mdm.measure.screens FILE`: a picture of the set-up page on three phones, as
MicroPython renders it and Chromium shows it; `make pictures` draws those in docs/."""

from __future__ import annotations

import base64
import sys
from pathlib import Path

from flyve_mdm import keeper
from flyve_mdm.browser import Browser, missing
from flyve_mdm.build import firmware
from flyve_mdm.measure.setup_states import STATES
from flyve_mdm.micropython.process import Interpreter

_SCRIPTS = Path(__file__).parent / "benches" / "inside"
_WIDTH = 320
# What the page shows on each phone, and whether its owner likes it dark.
PICTURES = {
    "setup.webp": (("new", False), ("invited", True), ("joined", False)),
    "setup-trouble.webp": (("errors", False), ("failed", True), ("refused", False)),
}
_FRAME = """<!DOCTYPE html><meta charset=utf-8>
<style>body{{margin:0;padding:16px;display:flex;gap:16px;align-items:start;background:#c9d2dc}}
img{{border-radius:20px;border:6px solid #1a2029}}</style>{images}"""


def draw(name: str, path: Path) -> None:
    """Draws one of PICTURES."""
    firmware.build()
    browser = Browser(0)
    try:
        with keeper.folder("flyve-screens-") as folder, Interpreter(_SCRIPTS) as micropython:
            images = []
            for state, dark in PICTURES[name]:
                values, networks = STATES[state]
                page = micropython.call("showing", "page", values, [list(n) for n in networks])
                browser.look(_WIDTH, dark, still=True)
                images.append(_shown(browser, folder, page, _WIDTH))
            frame(browser, folder, images, len(images) * _WIDTH, path)
    finally:
        browser.close()


def frame(browser: Browser, folder: Path, images: list[bytes], width: int, path: Path) -> None:
    """Makes one picture of several PNGs side by side, which are so wide together."""
    found = (base64.b64encode(png).decode() for png in images)
    inside = "".join(f'<img alt="" src="data:image/png;base64,{data}">' for data in found)
    browser.look()
    page = _FRAME.format(images=inside).encode()
    width += len(images) * (12 + 16) + 16
    path.write_bytes(_shown(browser, folder, page, width, format="webp", quality=70))


def _shown(browser: Browser, folder: Path, page: bytes, width: int, **how) -> bytes:
    (folder / "page.html").write_bytes(page)
    browser.driver.get((folder / "page.html").as_uri())
    return browser.picture(width, **how)


def main() -> None:
    """Draws the picture of that name; without a browser it leaves it as it is, with one line."""
    path = Path(sys.argv[1])
    without = missing()
    if without:
        print(f"{path} is left as it is: {without}", file=sys.stderr)
    else:
        draw(path.name, path)


if __name__ == "__main__":
    main()
