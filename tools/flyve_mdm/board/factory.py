"""A whole flash for one board: MicroPython's image with the agent, its settings and its NVS."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flyve_mdm import ROOT
from flyve_mdm.board import espnvs, image, partitions
from flyve_mdm.board.flash import chip_of, load, parts
from flyve_mdm.board.partitions import APP, TABLE, TABLE_SIZE, Partition

_BLANK = b"\xff"
_FILES, _FAT = "vfs", "ffat"  # the labels by which MicroPython finds its filesystem
_SLOT = 0x10  # subtype of the first OTA slot
_FLASH_SIZES = {n: 1 << 20 << n for n in range(8)}  # by the upper half of the header's byte 3
_BOARDS = {
    "ESP32": "ESP32_GENERIC",
    "ESP32-S3": "ESP32_GENERIC_S3",
    "ESP32-C3": "ESP32_GENERIC_C3",
}
ARCHES = {"ESP32": "xtensawin", "ESP32-S3": "xtensawin", "ESP32-C3": "rv32imc"}


@dataclass(frozen=True)
class Base:
    """MicroPython's image for a board, checked: its chip, its table and what lies at which
    address."""

    name: str
    chip: str
    table: list[Partition]
    content: list[tuple[int, bytes]]

    def partition(self, label: str) -> Partition:
        """Raises ValueError when the table has none of that name."""
        for row in self.table:
            if row.label == label:
                return row
        if label == _FILES and any(row.label == _FAT for row in self.table):
            raise ValueError(
                f"{self.name}: MicroPython makes a FAT filesystem of its partition {_FAT}, which "
                f"a power cut can destroy: take an image with a partition {_FILES}"
            )
        raise ValueError(f"{self.name}: its partition table has no {label}: take another image")


def base(path: Path, slots: int = 1) -> Base:
    """Reads MicroPython's image. With two slots our own table for that chip takes the place of
    one without them: MicroPython's application stays as it is. Raises ValueError, OSError."""
    name, data = path.name, load(path)
    chip = chip_of(data, name).CHIP_NAME
    content = parts(data, name)
    table = partitions.unpack(dict(content)[TABLE], name)
    if chip not in _BOARDS:
        raise ValueError(f"{name} is for {chip}, on which this agent has not been tried")
    if slots == 2 and not any(row.label == "ota_1" for row in table):
        source = ROOT / "boards" / _BOARDS[chip] / "partitions.csv"
        new = partitions.parse(source.read_text(), source.name)
        content = _moved(name, content, table, new)
        table = new
    made = Base(name, chip, table, content)
    for label in (_FILES, "nvs"):
        made.partition(label)
    size, end = _FLASH_SIZES.get(data[3] >> 4, 0), max(row.end for row in table)
    if end > size:
        raise ValueError(
            f"{name} is for a flash of {size >> 20} MiB, the partition table needs {end >> 20}"
        )
    return made


def _moved(name, content, old, new):
    """The same boot loader and application under another table."""
    application = next(row for row in old if row.kind == APP and row.address in dict(content))
    slot = next(row for row in new if (row.kind, row.subtype) == (APP, _SLOT))
    moved = dict(content)[application.address]
    if len(moved) > slot.size:
        raise ValueError(
            f"{name}: its application has {len(moved)} bytes, a slot {slot.size}: with --slots 1 "
            "it fits"
        )
    loader = [(at, data) for at, data in content if at < TABLE]
    blank = [(row.address, _BLANK * row.size) for row in new if row.label == "otadata"]
    return [*loader, (TABLE, partitions.pack(new)), *blank, (slot.address, moved)]


def compose(made: Base, tree: Path, files: Mapping[str, bytes | None], entries: Mapping) -> bytes:
    """The flash from address 0 to the last byte in use, for one `esptool write-flash 0`.

    tree: the compiled firmware; files and NVS entries are those of a provision.Plan. Raises
    ValueError, ImageError when they do not fit.
    """
    vfs, nvs = made.partition(_FILES), made.partition("nvs")
    flash = image.Files(image.blank(vfs.size))
    for path in sorted(path for path in tree.rglob("*") if path.is_file()):
        flash.write("/" + path.relative_to(tree).as_posix(), path.read_bytes())
    for path, data in files.items():
        if data is not None:
            flash.write(path, data)
    try:
        store = espnvs.build({k: v for k, v in entries.items() if v is not None}, nvs.size)
    except ValueError as error:
        raise ValueError(f"{made.name}: {error}") from None
    # Of an image that is a whole flash already, no setting and no secret may be left.
    content = [(at, data) for at, data in made.content if at not in (nvs.address, vfs.address)]
    content += [(nvs.address, store), (vfs.address, flash.image().rstrip(_BLANK))]
    whole = bytearray(_BLANK * max(at + len(data) for at, data in content))
    for at, data in content:
        whole[at : at + len(data)] = data
    return bytes(whole)


def take_apart(path: Path) -> tuple[str, list[Partition], dict[str, bytes]]:
    """The chip, the table and each partition's content, by label, of a whole flash from
    address 0. Raises ValueError, OSError."""
    data = load(path)
    chip = chip_of(data, path.name)
    whole = _BLANK * chip.BOOTLOADER_FLASH_OFFSET + data
    table = partitions.unpack(whole[TABLE : TABLE + TABLE_SIZE], path.name)
    found = {row.label: whole[row.address : row.end].ljust(row.size, _BLANK) for row in table}
    if not found.get(_FILES, b"").strip(_BLANK) or not found.get("nvs", b"").strip(_BLANK):
        raise ValueError(f"{path.name} is no whole flash: make one with `flyve image`")
    return chip.CHIP_NAME, table, found


def describe(made: Base) -> str:
    """The table in a few words."""
    slots = sum(row.kind == APP for row in made.table)
    size = made.partition(_FILES).size
    return f"{made.chip}, {slots} slot{'s' * (slots > 1)}, {size >> 10} KiB for files"
