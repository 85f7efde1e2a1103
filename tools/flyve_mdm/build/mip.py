"""package.json, from which mip installs the compiled agent out of a checkout.

`python -m flyve_mdm.build.mip` writes it; it changes when a module comes or goes.
"""

import json
from collections.abc import Iterable, Sequence

from flyve_mdm import ROOT, VERSION, need_checkout
from flyve_mdm.build import firmware

PACKAGE = ROOT / "package.json"


def urls() -> list[list[str]]:
    """Where each file goes below the root of a board's flash, and where it lies here."""
    sources = {
        step.target: "firmware" if step.level is None else "build/firmware"
        for step in firmware.board_steps()
    }
    sources[firmware.ARCHIVE] = "build/firmware"
    return [[target, f"{folder}/{target}"] for target, folder in sorted(sources.items())]


def text(urls: Iterable[Sequence[str]]) -> str:
    """The package, a line a file; the addresses are relative to it."""
    lines = ",\n".join(f"        {json.dumps(url)}" for url in urls)
    return f'{{\n    "urls": [\n{lines}\n    ],\n    "version": "{VERSION}"\n}}\n'


def main() -> None:
    """Writes package.json."""
    need_checkout("mip")
    PACKAGE.write_text(text(urls()))


if __name__ == "__main__":
    main()
