"""Writes a whole firmware image to a chip, with esptool: the chip that the image is for."""

import contextlib
import hashlib
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

from flyve_mdm.board import partitions, ports, twin
from flyve_mdm.board.folder import BoardError
from flyve_mdm.board.partitions import SECTOR, TABLE, TABLE_SIZE

_PADDING = b"\xff"
_LATE = 0x1000  # where the boot loader of some chips lies, the ESP32's for one
# The chip reads all pages of these together, so none may be left from before. A blank otadata
# belongs to the image, too: it lets the new application start.
_WHOLE = (partitions.DATA, partitions.OTADATA), (partitions.DATA, partitions.NVS)
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
    table = TABLE - chips[0].BOOTLOADER_FLASH_OFFSET
    if image[table : table + 2] != b"\xaa\x50":
        raise ValueError(f"{name} has no partition table: give the whole firmware (.bin)")
    return chips[0]


def load(path: Path) -> bytes:
    """A whole image, as it begins with the boot loader: also one that begins at address 0, as
    factory.compose() makes it."""
    data = path.read_bytes()
    return data[_LATE:] if data[:_LATE].strip(_PADDING) == b"" else data


def parts(image: bytes, name: str) -> list[tuple[int, bytes]]:
    """The image's own parts, with their addresses: without the padding between them, which lies
    where a board keeps its NVS. Raises ValueError, also when a part is damaged."""
    chip = chip_of(image, name)
    base = chip.BOOTLOADER_FLASH_OFFSET
    whole = _PADDING * base + image
    table = whole[TABLE : TABLE + TABLE_SIZE].ljust(TABLE_SIZE, _PADDING)
    loader = whole[base:TABLE]
    _verify(loader, chip, f"{name}: the boot loader")
    found, applications = [(base, _trimmed(loader)), (TABLE, table)], 0
    for row in partitions.unpack(table, name):
        content = whole[row.address : row.end]
        if row.kind == partitions.APP and content.strip(_PADDING):
            _verify(content, chip, f"{name}: the application in {row.label}")
            applications += 1
        if row[:2] in _WHOLE and (row.subtype == partitions.OTADATA or content.strip(_PADDING)):
            found.append((row.address, content.ljust(row.size, _PADDING)))
        elif content.strip(_PADDING):
            found.append((row.address, _trimmed(content)))
    if not applications:
        raise ValueError(f"{name} is damaged or not whole: there is no application in it")
    return found


def _verify(content: bytes, chip: type, what: str) -> None:
    ota = twin.load("ota")
    try:
        ota.verify(_Content(content), chip.IMAGE_CHIP_ID)
    except ota.ImageError as error:
        raise ValueError(f"{what} is damaged ({error}): fetch the file again") from None


def _trimmed(content: bytes) -> bytes:
    # In whole sectors, for a chip erases no less.
    size = -(-len(content.rstrip(_PADDING)) // SECTOR) * SECTOR
    return content[:size]


class _Content:
    """Bytes, as boards/virtual/ota.py wants them."""

    def __init__(self, data: bytes):
        self._data, self.size = data, len(data)

    def read(self, at, buf):
        buf[:] = self._data[at : at + len(buf)]


def write(
    port: str,
    path: Path,
    erase: bool = False,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> str:
    """Writes the image to the chip on the port and starts it; returns what was done.

    Nothing is written when it is for another chip. NVS and files stay, as long as the partition
    table does and the image has none; `erase` blanks the whole flash first. Raises ValueError,
    BoardError.
    """
    image = load(path)
    chip, wanted = chip_of(image, path.name), parts(image, path.name)
    size, offset = sum(len(content) for _, content in wanted), chip.BOOTLOADER_FLASH_OFFSET
    ports.check_free(port)
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
            if not erase and not _fits(found, dict(wanted)[TABLE]):
                raise BoardError(
                    f"{port}: the partition table of {path.name} is another than the board's, so "
                    "NVS and files would be damaged: nothing was written. With --erase they go, "
                    "and it is written"
                )
            cmds.write_flash(found, wanted, erase_all=erase)
            cmds.reset_chip(found, "hard-reset")
    except FatalError as error:
        text = str(error).partition("\n")[0].rstrip(".")
        raise BoardError(f"{port}: {text}. Hold BOOT while you connect the board") from None
    except SerialException as error:
        raise BoardError(f"{port}: {error}") from None
    table = partitions.unpack(dict(wanted)[TABLE], path.name)
    own = any(row.label == "nvs" and row.address in dict(wanted) for row in table)
    rest = "NVS and files were left alone"
    if erase or own:
        rest = "all else is blank" if erase else "NVS and files are the image's"
    return f"{size} bytes at 0x{offset:x} of the {chip.CHIP_NAME}, verified; {rest}"


def _fits(found, table: bytes) -> bool:
    # No more can be asked of every chip than the digest of what is there.
    there = found.flash_md5sum(TABLE, TABLE_SIZE)
    same = table[:TABLE_SIZE].ljust(TABLE_SIZE, _PADDING)
    return there in [hashlib.md5(one).hexdigest() for one in (same, _PADDING * TABLE_SIZE)]


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
