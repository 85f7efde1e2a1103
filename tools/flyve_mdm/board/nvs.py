"""The NVS image of a virtual board from the host side, read and written by the code of
boards/virtual/nvs_store.py."""

import contextlib
import struct
from collections.abc import Iterator
from pathlib import Path

from flyve_mdm.board import image, twin

store = twin.load("nvs_store")
_KINDS = {store.I32: "i32", store.BLOB: "blob"}


class _Ram:
    """The device that Store wants, in memory."""

    def __init__(self, data: bytes):
        self.data = bytearray(data)
        self.size = len(data)

    def read(self, address, buf):
        buf[:] = self.data[address : address + len(buf)]

    def program(self, address, buf):
        self.data[address : address + len(buf)] = buf

    def erase(self, block):
        self.data[block * 4096 : (block + 1) * 4096] = b"\xff" * 4096


class Entries:
    """The live entries of one image."""

    def __init__(self, data: bytes):
        self._device = _Ram(data)
        self._store = store.Store(self._device)

    def list(self) -> list[tuple[str, str, str, int | bytes]]:
        """Namespace, key, "i32" or "blob", and value of each entry, sorted."""
        found = []
        for name, kind, value in self._store.entries():
            namespace, key = (_name(part) for part in (name[:16], name[16:]))
            value = struct.unpack("<i", value)[0] if kind == store.I32 else value
            found.append((namespace, key, _KINDS[kind], value))
        return sorted(found, key=lambda entry: entry[:2])

    def set(self, namespace: str, key: str, value: int | bytes) -> None:
        """Sets an integer or a blob. Raises OSError as the esp32 module does."""
        name = store.name(namespace, key)
        if isinstance(value, int):
            self._store.put(name, store.I32, struct.pack("<i", value))
        else:
            self._store.put(name, store.BLOB, bytes(value))

    def erase(self, namespace: str, key: str) -> bool:
        """Erases a key; false when it was not there."""
        try:
            self._store.erase(store.name(namespace, key))
        except OSError:
            return False
        return True

    def compact(self) -> None:
        """Drops what was erased or replaced from the image too."""
        self._store.compact()

    def image(self) -> bytes:
        return bytes(self._device.data)


def _name(part: bytes) -> str:
    return part.rstrip(b"\0").decode(errors="replace")


def load(path: Path) -> Entries:
    """The entries of an image file. Raises OSError."""
    return Entries(path.read_bytes())


@contextlib.contextmanager
def session(path: Path) -> Iterator[Entries]:
    """Entries to change; they reach the image file when the block ends without an exception."""
    entries = load(path)
    yield entries
    image.replace(path, entries.image())
