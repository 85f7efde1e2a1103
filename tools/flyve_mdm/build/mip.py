"""package.json, from which mip installs the compiled agent out of a checkout.

`python -m flyve_mdm.build.mip` writes it; it changes when a module comes or goes.
"""

import json

from flyve_mdm import ROOT, need_checkout
from flyve_mdm.build import firmware

PACKAGE = ROOT / "package.json"
VERSION = "0.1.0"


def urls() -> list[list[str]]:
    """Where each file goes below the root of a board's flash, and where it lies here."""
    sources = {
        step.target: "firmware" if step.level is None else "build/firmware"
        for step in firmware.board_steps()
    }
    sources[firmware.ARCHIVE] = "build/firmware"
    return [[target, f"{folder}/{target}"] for target, folder in sorted(sources.items())]


def main() -> None:
    """Writes package.json, a line a file."""
    need_checkout("mip")
    lines = ",\n".join(f"        {json.dumps(url)}" for url in urls())
    text = f'{{\n    "urls": [\n{lines}\n    ],\n    "version": "{VERSION}"\n}}\n'
    PACKAGE.write_text(text)


if __name__ == "__main__":
    main()
