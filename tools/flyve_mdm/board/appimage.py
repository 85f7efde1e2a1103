"""ESP32 application images for virtual boards: small, but whole, as esptool would accept them.

A virtual board runs the interpreter that it has, whatever the image holds; only the image's
project name may spoil that, so that a failing update can be played.
"""

import hashlib
import struct

CRASH = "virtual:crash"  # resets before it comes to boot.py
DEAF = "virtual:deaf"  # its Wi-Fi finds no access point
_DESCRIPTION_MAGIC = 0xABCD5432


def build(project: str = "micropython", size: int = 0, chip: int = 0) -> bytes:
    """An image of that project and of at least `size` bytes; chip 0 is the ESP32."""
    description = struct.pack(
        "<II8x32s32s16s16s32s", _DESCRIPTION_MAGIC, 0, b"1.0", project.encode(), b"", b"", b"5.5"
    ).ljust(256, b"\0")
    data = description + bytes(n * 7 & 0xFF for n in range(max(4, size - 352) // 4 * 4))
    head = struct.pack(
        "<4BI4BHB2H4xB", 0xE9, 1, 2, 0x20, 0x40081000, 0xEE, 0, 0, 0, chip, 0, 0, 0, 1
    )
    image = head + struct.pack("<II", 0x3F400020, len(data)) + data
    checksum = 0xEF
    for byte in data:
        checksum ^= byte
    image += bytes(15 - len(image) % 16) + bytes([checksum])
    return image + hashlib.sha256(image).digest()
