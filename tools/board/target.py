"""What `deploy`, `provision` and `reset` need of a board, whatever kind it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from tools.board.board import VirtualBoard
from tools.board.folder import BoardError


class Target(Protocol):
    """A board that is virtual, or on a serial port. Its methods raise BoardError or OSError."""

    def deploy(self, tree: Path) -> int:
        """Puts a tree of files on the flash and returns their number."""

    def read(self, path: str) -> bytes:
        """A file's content. Raises FileNotFoundError."""

    def change(self, files: Mapping | None = None, entries: Mapping | None = None) -> None:
        """Writes files by path and NVS entries by (namespace, key); None removes one."""


def open_target(name: str) -> Target:
    """The board that a TARGET names: a virtual board's folder. Raises BoardError."""
    path = Path(name)
    if name.startswith("/dev/") or (path.exists() and not path.is_dir()):
        raise BoardError(f"{name}: only the folder of a virtual board is supported so far")
    return VirtualBoard(path)
