"""Writes a whole firmware image to a chip, with esptool: the chip that the image is for."""

import contextlib
import io
import struct
from collections.abc import Callable
from pathlib import Path

from esptool import cmds
from esptool.logger import TemplateLogger, log
from esptool.reset import ResetStrategy
from esptool.targets import CHIP_DEFS
from esptool.util import FatalError
from serial import SerialException

from tools.board.folder import BoardError

_TABLE = 0x8000  # where ESP-IDF keeps the partition table
_APPLICATION = 0xABCD5432  # the magic of esp_app_desc_t, where an application has its description


def chip_of(image: bytes, name: str) -> type:
    """esptool's class of the chip that a whole image is for. Raises ValueError."""
    if len(image) < 0x1000 or image[0] != 0xE9:
        raise ValueError(f"{name} is no ESP32 firmware image")
    if struct.unpack_from("<I", image, 32)[0] == _APPLICATION:
        raise ValueError(
            f"{name} is an application image, for updates over the air: "
            "give the whole firmware (.bin), with boot loader and partition table"
        )
    number = struct.unpack_from("<H", image, 12)[0]
    chips = [c for c in CHIP_DEFS.values() if getattr(c, "IMAGE_CHIP_ID", None) == number]
    if not chips:
        raise ValueError(f"{name} is for a chip (number {number}) that esptool does not know")
    table = _TABLE - chips[0].BOOTLOADER_FLASH_OFFSET
    if image[table : table + 2] != b"\xaa\x50":
        raise ValueError(f"{name} has no partition table: give the whole firmware (.bin)")
    return chips[0]


def write(
    port: str,
    path: Path,
    erase: bool = False,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> str:
    """Writes the image to the chip on the port and starts it; returns what was done.

    Nothing is written when it is for another chip. `erase` blanks the whole flash first, NVS and
    files too. Raises ValueError, BoardError.
    """
    image = path.read_bytes()
    chip = chip_of(image, path.name)
    offset = chip.BOOTLOADER_FLASH_OFFSET
    _quiet.progress = progress
    try:
        with contextlib.redirect_stdout(io.StringIO()), cmds.detect_chip(port) as found:
            if found.IMAGE_CHIP_ID != chip.IMAGE_CHIP_ID:
                raise BoardError(
                    f"{path.name} is for {chip.CHIP_NAME}, on {port} is {found.CHIP_NAME}: "
                    "nothing was written"
                )
            found = cmds.run_stub(found)
            cmds.attach_flash(found)
            cmds.write_flash(found, [(offset, image)], erase_all=erase)
            cmds.reset_chip(found, "hard-reset")
    except FatalError as error:
        text = str(error).partition("\n")[0].rstrip(".")
        raise BoardError(f"{port}: {text}. Hold BOOT while you connect the board") from None
    except SerialException as error:
        raise BoardError(f"{port}: {error}") from None
    return f"{len(image)} bytes at 0x{offset:x} of the {chip.CHIP_NAME}, verified"


class _Quiet(TemplateLogger):
    """Of what esptool says, the progress only: its errors come as exceptions."""

    progress = None

    def print(self, *args, **kwargs):
        pass

    note = warning = error = set_verbosity = stage = print

    def progress_bar(self, cur_iter, total_iters, prefix="", suffix="", bar_length=30):
        self.progress("writing", cur_iter, total_iters)


_quiet = _Quiet()
log.set_logger(_quiet)  # it can be set once
ResetStrategy.print_once = _quiet.print  # bound to the logger that was there when it was made
