"""Whole images for a chip, small ones, as MicroPython's builds are put together."""

import hashlib
import struct

from flyve_mdm.board import appimage

ESP32, C3, S3 = 0, 5, 9
OFFSETS = {ESP32: 0x1000, C3: 0, S3: 0}


NVS = 0x9000
ROWS = [(1, 2, NVS, 0x6000, b"nvs"), (1, 1, 0xF000, 0x1000, b"phy_init"),
        (0, 0, 0x10000, 0x1F0000, b"factory")]  # fmt: skip


def table(rows=ROWS):
    """A partition table with its checksum."""
    made = b"".join(struct.pack("<HBBII16sI", 0x50AA, *row, 0) for row in rows)
    return made + b"\xeb\xeb".ljust(16, b"\xff") + hashlib.md5(made).digest()


def loader(chip):
    """A boot loader: an image like an application's, without a description."""
    made = appimage.build(chip=chip)
    body = made[:32] + bytes(4) + made[36:-33]
    checksum = 0xEF
    for byte in body[32:]:  # what follows its only segment is zeros
        checksum ^= byte
    body += bytes([checksum])
    return body + hashlib.sha256(body).digest()


def whole(chip, rows=ROWS):
    """Boot loader, partition table and application, as MicroPython's builds are put together."""
    image = loader(chip).ljust(0x8000 - OFFSETS[chip], b"\xff") + table(rows)
    return image.ljust(0x10000 - OFFSETS[chip], b"\xff") + appimage.build(size=65536, chip=chip)
