"""Application images and the otadata partition, as ESP-IDF and its boot loader know them.

Runs in MicroPython on the board and in CPython on the host. A device has `size`, `read`,
`program` and `erase`.
"""

import hashlib
import struct
from binascii import crc32

NEW, PENDING, VALID, INVALID, ABORTED = range(5)

_MAGIC = 0xE9
_DESCRIPTION = 32  # where esp_app_desc_t stands
_NAME = _DESCRIPTION + 48  # its project_name, of 32 bytes
_ENTRY = "<I20sII"  # sequence, label, state, CRC of the sequence
_SECTOR = 4096
_NONE = 0xFFFFFFFF


class ImageError(ValueError):
    """The boot loader would not start this; the text says why."""


def verify(device, chip):
    """Checks the image on a partition as esp_image_verify() does. Raises ImageError."""
    head = bytearray(24)
    device.read(0, head)
    if head[0] != _MAGIC or not 0 < head[1] <= 16:
        raise ImageError("no image")
    if head[12] | head[13] << 8 != chip:
        raise ImageError("an image for another chip")
    digest, checksum, at = hashlib.sha256(head), 0xEF, 24
    buf = memoryview(bytearray(512))
    for _ in range(head[1]):
        digest.update(_read(device, at, buf[:8]))
        left = struct.unpack_from("<I", buf, 4)[0]
        at += 8
        while left:
            part = _read(device, at, buf[: min(512, left)])
            digest.update(part)
            for byte in part:
                checksum ^= byte
            at += len(part)
            left -= len(part)
    part = _read(device, at, buf[: 16 - at % 16])
    if part[len(part) - 1] != checksum:
        raise ImageError("the checksum is wrong")
    digest.update(part)
    if head[23] and _read(device, at + len(part), buf[:32]) != digest.digest():
        raise ImageError("the hash is wrong")


def _read(device, at, buf):
    if at + len(buf) > device.size:
        raise ImageError("the image is longer than its partition")
    device.read(at, buf)
    return buf


def project(device):
    """The project's name in the description of an image."""
    name = bytearray(32)
    device.read(_NAME, name)
    return bytes(name).split(b"\0")[0].decode()


class Otadata:
    """Which of `count` slots starts: two sectors with an entry each, written in turn."""

    def __init__(self, device, count):
        self._device, self._count = device, count

    def entry(self, n):
        """(sequence, state) of one sector, or None when it holds no entry."""
        buf = bytearray(32)
        self._device.read(n * _SECTOR, buf)
        sequence, _, state, crc = struct.unpack(_ENTRY, buf)
        return None if sequence == _NONE or crc != _crc(sequence) else (sequence, state)

    def active(self):
        """The number of the sector that counts, or -1."""
        best, found = 0, -1
        for n in (0, 1):
            entry = self.entry(n)
            if entry and entry[1] not in (INVALID, ABORTED) and entry[0] > best:
                best, found = entry[0], n
        return found

    def slot(self):
        """The index of the slot that the active entry names, or -1."""
        n = self.active()
        return -1 if n < 0 else (self.entry(n)[0] - 1) % self._count

    def choose(self, slot):
        """What esp_ota_set_boot_partition() writes: the slot is to start on trial."""
        n = self.active()
        sequence = slot + 1
        if n >= 0:
            while sequence < self.entry(n)[0]:
                sequence += self._count
        self._write(0 if n < 0 else 1 - n, sequence, NEW)

    def mark(self, n, state):
        """Changes the state of a sector's entry."""
        self._write(n, self.entry(n)[0], state)

    def start(self):
        """What the boot loader does at a reset; returns the index of the slot to start."""
        for n in (0, 1):
            entry = self.entry(n)
            if entry and entry[1] == PENDING:
                self.mark(n, ABORTED)
        if self.entry(0) is None and self.entry(1) is None:
            self._write(0, 1, VALID)
        n = self.active()
        if n >= 0 and self.entry(n)[1] == NEW:
            self.mark(n, PENDING)
        return max(0, self.slot())

    def _write(self, n, sequence, state):
        entry = struct.pack(_ENTRY, sequence, b"\xff" * 20, state, _crc(sequence))
        self._device.erase(n)
        self._device.program(n * _SECTOR, entry)


def _crc(sequence):
    return crc32(struct.pack("<I", sequence), _NONE)
