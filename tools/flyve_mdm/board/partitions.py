"""ESP-IDF's partition table: what lies where on a chip's flash."""

import csv
import hashlib
import struct
from collections.abc import Sequence
from typing import NamedTuple

TABLE, TABLE_SIZE = 0x8000, 0xC00  # where it lies, and the space for it
APP, DATA = 0, 1
# Subtypes of data.
OTADATA, NVS = 0, 2
SECTOR = 4096
_APP_ALIGN = 0x10000
_ROW = "<HBBII16sI"
_ROW_MAGIC, _SUM_MAGIC = 0x50AA, 0xEBEB
_KINDS = {"app": APP, "data": DATA}
_SUBTYPES = {
    APP: {"factory": 0x00, **{f"ota_{n}": 0x10 + n for n in range(16)}},
    DATA: {"ota": OTADATA, "phy": 1, "nvs": NVS, "fat": 0x81, "spiffs": 0x82, "littlefs": 0x83},
}


class Partition(NamedTuple):
    """A row of the table; address and size in bytes."""

    kind: int
    subtype: int
    address: int
    size: int
    label: str

    @property
    def end(self) -> int:
        return self.address + self.size


def unpack(table: bytes, name: str) -> list[Partition]:
    """The rows of a table as it lies on the flash. Raises ValueError when it is damaged."""
    found = []
    for at in range(0, min(len(table), TABLE_SIZE) - 31, 32):
        row = table[at : at + 32]
        magic, kind, subtype, address, size, label, _ = struct.unpack(_ROW, row)
        if magic == _SUM_MAGIC and row[16:] != hashlib.md5(table[:at]).digest():
            raise ValueError(f"{name} is damaged: the partition table's checksum is wrong")
        if magic != _ROW_MAGIC:
            break
        label = label.split(b"\0")[0].decode(errors="replace")
        found.append(Partition(kind, subtype, address, size, label))
    return found


def pack(rows: Sequence[Partition]) -> bytes:
    """A table as it lies on the flash, with its checksum, padded to its space."""
    made = b"".join(struct.pack(_ROW, _ROW_MAGIC, *row[:4], row.label.encode(), 0) for row in rows)
    ending = struct.pack("<H14x", _SUM_MAGIC).replace(b"\0", b"\xff")
    return (made + ending + hashlib.md5(made).digest()).ljust(TABLE_SIZE, b"\xff")


def parse(text: str, name: str) -> list[Partition]:
    """The rows of a table in ESP-IDF's CSV, in which each address is given. Raises ValueError."""
    found = []
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    for line in csv.reader(lines, skipinitialspace=True):
        try:
            label, kind, subtype, address, size = (field.strip() for field in line[:5])
            kind = _KINDS[kind]
            subtype = _SUBTYPES[kind].get(subtype) if not subtype[:1].isdigit() else subtype
            row = Partition(kind, int(str(subtype), 0), int(address, 0), int(size, 0), label)
        except (ValueError, KeyError):
            raise ValueError(
                f"{name}: {','.join(line)!r} is no row of a partition table"
            ) from None
        if row.address % (_APP_ALIGN if kind == APP else SECTOR) or row.size % SECTOR:
            raise ValueError(f"{name}: {label} does not lie at the edge of a block")
        if found and row.address < found[-1].end:
            raise ValueError(f"{name}: {label} overlaps with {found[-1].label}")
        found.append(row)
    return found
