"""`flyve firmware`: a firmware image with the agent in it, by MicroPython's own build."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import click

from flyve_mdm import BUILD, ROOT, need_checkout
from flyve_mdm.build import libraries, romfs, toolchain
from flyve_mdm.build.firmware import BuildError, build

BOARDS = ROOT / "boards"
ARCH = {"esp32": "xtensawin", "esp32s3": "xtensawin", "esp32c3": "rv32imc"}
_VERSION = re.compile(r"#define MICROPY_VERSION_(MAJOR|MINOR)\s+(\d+)")


class FirmwareError(Exception):
    """What is missing for a build; one line that says what to do."""


def boards() -> list[str]:
    """The boards that there are definitions of."""
    return sorted(path.parent.name for path in BOARDS.glob("*/mpconfigboard.cmake"))


def plan(board: str, variant: str, environment) -> list[list[str]]:
    """The commands that build the image. Raises FirmwareError."""
    if board not in boards():
        raise FirmwareError(f"{board}: no such board; there are: {', '.join(boards())}")
    if variant and not (BOARDS / board / f"mpconfigvariant_{variant}.cmake").exists():
        raise FirmwareError(f"{board} has no variant {variant}")
    source = _source(environment.get("MICROPYTHON_SRC", ""))
    _idf(environment.get("IDF_PATH", ""), environment.get("PATH", ""))
    out = BUILD / "-".join(filter(None, ("firmware", board, variant)))
    port = ["make", "-C", str(source / "ports" / "esp32"), f"BUILD={out}"]
    port += [f"BOARD_DIR={BOARDS / board}"] + ([f"BOARD_VARIANT={variant}"] if variant else [])
    return [
        ["make", "-C", str(source / "mpy-cross")],
        [*port, "submodules"],
        port,
    ]


def _source(path: str) -> Path:
    if not path:
        raise FirmwareError(
            "MICROPYTHON_SRC is not set: clone github.com/micropython/micropython and give its "
            "folder, as make firmware BOARD=ESP32_GENERIC MICROPYTHON_SRC=path IDF_PATH=path"
        )
    source = Path(path).absolute()
    try:
        numbers = dict(
            _VERSION.findall((source / "py" / "mpconfig.h").read_text(errors="replace"))
        )
    except OSError:
        numbers = {}
    if len(numbers) < 2 or not (source / "ports" / "esp32" / "Makefile").exists():
        raise FirmwareError(f"MICROPYTHON_SRC={path} is no checkout of MicroPython")
    version = int(numbers["MAJOR"]), int(numbers["MINOR"])
    if version < toolchain.OLDEST:
        oldest = ".".join(map(str, toolchain.OLDEST))
        raise FirmwareError(
            f"MICROPYTHON_SRC={path} is MicroPython {version[0]}.{version[1]}: "
            f"check out v{oldest}.0 or later"
        )
    return source


def _idf(path: str, search: str) -> None:
    if not path:
        raise FirmwareError(
            "IDF_PATH is not set: install the ESP-IDF that ports/esp32/README.md of your "
            "MicroPython names, and source its export.sh"
        )
    if not (Path(path) / "tools" / "idf.py").exists():
        raise FirmwareError(f"IDF_PATH={path} is no ESP-IDF: there is no tools/idf.py")
    if not shutil.which("idf.py", path=search):
        raise FirmwareError(f"idf.py is not on the PATH: run `. {path}/export.sh` first")


@click.command()
@click.option("--board", default="ESP32_GENERIC", show_default=True, help="of boards/")
@click.option("--variant", default="", help="ROMFS: the agent in a partition of its own")
def firmware(board, variant):
    """Builds a firmware image with the agent in it, for `flyve flash`.

    Needs MICROPYTHON_SRC, a checkout of MicroPython, and IDF_PATH, an ESP-IDF that is set up.
    """
    need_checkout("firmware")
    try:
        commands = plan(board, variant, os.environ)
        if re.search(r"\s", str(ROOT)):
            raise FirmwareError(f"{ROOT}: MicroPython's build takes no path with a blank: move it")
        build()  # fetches the libraries, makes the page
        for command in commands:
            click.echo(f"$ {' '.join(command)}")
            if subprocess.run(command, check=False).returncode:
                raise FirmwareError(f"{' '.join(command[:3])} failed: see above")
        out = Path(commands[-1][3].partition("=")[2])
        click.echo(f"{out / 'firmware.bin'}: flyve flash PORT --image {out / 'firmware.bin'}")
        click.echo(f"{out / 'micropython.bin'}: the application image, for updates over the air")
        if variant == "ROMFS":
            chip = json.loads((BOARDS / board / "board.json").read_text())["mcu"]
            image = romfs.write(ARCH[chip])
            click.echo(f"{image}: mpremote romfs deploy {image}")
    except (FirmwareError, libraries.LibraryError, BuildError, toolchain.ToolchainError) as error:
        raise click.ClickException(str(error)) from None
