"""The folder of a virtual board: its files, its settings and what the host does to it."""

import contextlib
import json
import os
import re
import secrets
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from flyve_mdm import lock, text
from flyve_mdm.board import appimage, image

INPUTS_SIZE = 2048
DEFAULT_APS = {"flyve": "flyve-demo"}
DEFAULT_FLASH = 2 * 1024 * 1024
BOOT_PINS = {"ESP32": 0, "ESP32-S3": 0, "ESP32-C3": 9}  # by chip
_LARGEST_FLASH = 128 << 20
_SOON = 0.2  # seconds
_APP, _DATA = 0, 1
# Type, subtype, address, size, label, encrypted: the tables of MicroPython's 4 MiB builds.
_STOCK = [
    (_DATA, 2, 0x9000, 0x6000, "nvs", False),
    (_DATA, 1, 0xF000, 0x1000, "phy_init", False),
    (_APP, 0, 0x10000, 0x1F0000, "factory", False),
]
_OTA = [
    (_DATA, 2, 0x9000, 0x4000, "nvs", False),
    (_DATA, 0, 0xD000, 0x2000, "otadata", False),
    (_DATA, 1, 0xF000, 0x1000, "phy_init", False),
    (_APP, 16, 0x10000, 0x180000, "ota_0", False),
    (_APP, 17, 0x190000, 0x180000, "ota_1", False),
]


class BoardError(Exception):
    """The folder is no board, or it cannot be used now; one line that says what to do."""


class Folder:
    """Paths and settings of one board. Raises BoardError when there is no board."""

    def __init__(self, path: Path):
        self.path = Path(path)
        self.flash = self.path / "flash.img"
        self.nvs = self.path / "nvs.bin"
        self.state = self.path / "state.bin"
        self.inputs = self.path / "inputs.json"
        try:
            self.settings = json.loads((self.path / "board.json").read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            command = f"flyve board create {shlex.quote(str(path))}"
            raise BoardError(f"{path} is no virtual board: make one with `{command}`") from None
        except ValueError as error:
            raise BoardError(f"{path}/board.json is damaged: {error}") from None

    @property
    def partitions(self) -> list[tuple]:
        """The partition table, as Partition.info() shows it."""
        table = _OTA if self.settings["ota"] else _STOCK
        if "partitions" in self.settings:
            table = [(*row, False) for row in self.settings["partitions"]]
        if self.settings.get("encrypted"):  # its flash: so are all that hold firmware
            table = [(*row[:5], row[0] == _APP) for row in table]
        start = max(row[2] + row[3] for row in table)
        return [*table, (_DATA, 0x81, start, self.settings["flash"], "vfs", False)]

    def partition_files(self) -> dict[str, Path]:
        """The image file of each partition that has one, by label."""
        files = {"vfs": self.flash, "nvs": self.nvs}
        files.update(
            (row[4], self.path / f"{row[4]}.img") for row in self.partitions if "ota" in row[4]
        )
        return files

    def set_inputs(self, **values) -> None:
        """Changes what is around the board: `boot_until`, `ahead_ms`, and what network.py
        tells of."""
        _write_inputs(self.inputs, {**json.loads(self.inputs.read_bytes()), **values})

    def pass_time(self, ms: int) -> int:
        """So many more ms have passed for the board than for the host; returns how many seconds
        it is ahead then."""
        ahead = json.loads(self.inputs.read_bytes()).get("ahead_ms", 0) + ms
        self.set_inputs(ahead_ms=ahead)
        return ahead // 1000

    @contextlib.contextmanager
    def lock(self) -> Iterator[int]:
        """Keeps the board for one run or one change; yields the lock's descriptor.

        A child that inherits it keeps the lock as long as it lives. Raises BoardError.
        """
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            # A process that another thread starts has our descriptors until its exec().
            if not lock.take(descriptor, _SOON):
                raise BoardError(f"the board {self.path} is running: stop it first")
            yield descriptor
        finally:
            os.close(descriptor)


def create(
    path: Path,
    mac: str | None = None,
    flash: int = DEFAULT_FLASH,
    ota: bool = False,
    aps: Mapping | None = None,
    chip: str = "ESP32",
    partitions: Sequence | None = None,
) -> Folder:
    """Makes the folder of a new board with an empty filesystem and blank NVS; `partitions` are
    the rows of a table of its own, without the filesystem's, which has the address after them.

    Raises BoardError when there is one already, ValueError for a bad MAC, size or chip.
    """
    path = Path(path)
    mac = check_mac(mac) if mac else "02" + secrets.token_hex(5)
    if not 16 * image.BLOCK <= flash <= _LARGEST_FLASH or flash % image.BLOCK:
        raise ValueError(f"flash must be a multiple of {image.BLOCK}, from 64K to 128M")
    if chip not in BOOT_PINS:
        raise ValueError(f"chip must be one of {', '.join(BOOT_PINS)}")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise BoardError(f"{path} is not a folder") from None
    if (path / "board.json").exists():
        raise BoardError(f"{path} is a board already: choose another folder, or remove it")
    settings = {"mac": mac, "flash": flash, "ota": ota, "freq": 160_000_000}
    settings.update(chip=chip, boot_pin=BOOT_PINS[chip])
    if partitions:
        settings["partitions"] = partitions
    _write_inputs(path / "inputs.json", {"aps": dict(DEFAULT_APS if aps is None else aps)})
    image.replace(path / "flash.img", image.blank(flash))
    # The settings come last: a folder without them is not a board yet.
    image.replace(path / "board.json", json.dumps(settings, indent=1).encode())
    folder = Folder(path)
    for label, file in folder.partition_files().items():
        size = next(row[3] for row in folder.partitions if row[4] == label)
        if label != "vfs":
            first = appimage.build() if label == "ota_0" else b""
            image.replace(file, first.ljust(size, b"\xff"))
    return folder


@contextlib.contextmanager
def whole(path: Path) -> Iterator[None]:
    """Makes a new board inside the `with`: when that fails, nothing of it stays."""
    there = path.exists()
    before = set(path.iterdir()) if path.is_dir() else set()
    try:
        yield
    except BaseException:
        if path.is_dir():
            for made in set(path.iterdir()) - before:
                made.unlink()
            if not there:
                path.rmdir()
        raise


def check_mac(mac: str) -> str:
    """A MAC address as 12 hex digits. Raises ValueError."""
    digits = mac.replace(":", "").replace("-", "").lower()
    if not re.fullmatch("[0-9a-f]{12}", digits):
        raise ValueError(f"{mac} is no MAC address: six bytes in hex, as 02:00:00:00:00:01")
    return digits


def parse_size(text: str | int) -> int:
    """Bytes of "112K", "2M" or "65536". Raises ValueError."""
    found = re.fullmatch(r"(\d+)([KkMm]?)", str(text))
    if not found:
        raise ValueError(f"{text} is no size: write it as 112K or 114688")
    return int(found[1]) << {"": 0, "k": 10, "m": 20}[found[2].lower()]


def _write_inputs(path: Path, values: dict) -> None:
    data = text.for_board(values, "the air")
    if len(data) >= INPUTS_SIZE:
        raise ValueError("too many access points for one board")
    # One write in place: the board holds the file open and may read it at any time.
    with path.open("r+b" if path.exists() else "wb", buffering=0) as file:
        file.write(data.ljust(INPUTS_SIZE - 1) + b"\n")
