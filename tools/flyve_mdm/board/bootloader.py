"""The boot loader of a virtual board: which slot starts, and the way back.

A slot that was chosen with set_boot() starts once. If it does not mark itself valid before
the next reset, the slot before it starts again, as ESP-IDF's rollback has it. The decisions
are those of boards/virtual/ota.py.
"""

from dataclasses import dataclass
from pathlib import Path

from flyve_mdm.board import image, twin
from flyve_mdm.board.folder import BoardError, Folder

_CHIP = 0  # ESP32

ota = twin.load("ota")


@dataclass(frozen=True)
class Boot:
    """What starts: the label of its partition, and the project that its image names."""

    slot: str
    project: str


class _Device:
    """A partition's image file, as boards/virtual/ota.py wants it."""

    def __init__(self, path: Path):
        self._path = path
        self._data = bytearray(path.read_bytes())
        self.size = len(self._data)

    def read(self, address, buf):
        buf[:] = self._data[address : address + len(buf)]

    def program(self, address, buf):
        self._data[address : address + len(buf)] = buf
        image.replace(self._path, bytes(self._data))

    def erase(self, block):
        self._data[block * 4096 : (block + 1) * 4096] = b"\xff" * 4096


class Bootloader:
    """Decides at each reset, and keeps otadata as the real one does."""

    def __init__(self, folder: Folder):
        self._files = folder.partition_files()
        self._slots = sorted(label for label in self._files if label.startswith("ota_"))

    def start(self) -> Boot:
        """What starts now. An image that is damaged is passed over."""
        if not self._slots:
            return Boot("factory", "")
        first = ota.Otadata(_Device(self._files["otadata"]), len(self._slots)).start()
        for label in [*self._slots[first::-1], *self._slots[first + 1 :]]:
            device = _Device(self._files[label])
            try:
                ota.verify(device, _CHIP)
            except ota.ImageError:
                continue
            return Boot(label, ota.project(device))
        raise BoardError("no slot holds an image that starts: create the board again")
