"""Files on the littlefs2 image of a virtual board's flash, from the host side.

Reading works on a snapshot, also while the board runs. Writing is for a board that is off;
a session's changes reach the image file together, or not at all.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from littlefs import LittleFS, UserContext
from littlefs.errors import LittleFSError

BLOCK = 4096
# Sizes as in MicroPython's VfsLfs2, so that both write the same layout.
_GEOMETRY = {"block_size": BLOCK, "read_size": 32, "prog_size": 32, "cache_size": 128}
_LOOKAHEAD = 32
# Names are bytes, which this keeps; they need not be UTF-8.
_ENCODING = "latin-1"


class ImageError(Exception):
    """The image cannot be used, or has no such file; the text says which."""


class Files:
    """The files of one image; paths are absolute, with slashes. Bytes of a name that are no UTF-8
    are as os.fsdecode() has them."""

    def __init__(self, image: bytes):
        self._context = UserContext(buffer=bytearray(image))
        self._fs = LittleFS(
            self._context,
            mount=False,
            block_count=len(image) // BLOCK,
            lookahead_size=_LOOKAHEAD,
            filename_encoding=_ENCODING,
            **_GEOMETRY,
        )
        try:
            self._fs.mount()
        except LittleFSError as error:
            raise ImageError(f"no littlefs2 filesystem: {error}") from None

    def folders(self) -> list[str]:
        """The path of each folder below the root, sorted."""
        with _translated("/"):
            return sorted(_shown(path) for path, _, _ in self._fs.walk("/") if path != "/")

    def list(self) -> list[tuple[str, int]]:
        """Path and size of each file, sorted."""
        with _translated("/"):
            found = []
            for folder, _, names in self._fs.walk("/"):
                for name in names:
                    path = str(PurePosixPath(folder) / name)
                    found.append((_shown(path), self._fs.stat(path).size))
            return sorted(found)

    def read(self, path: str) -> bytes:
        """A file's content. Raises FileNotFoundError."""
        with _translated(path), self._fs.open(_kept(path), "rb") as file:
            return file.read()

    def write(self, path: str, data: bytes) -> None:
        """Writes a file under another name and renames it, making its folders."""
        with _translated(path):
            path = _kept(path)
            folder = str(PurePosixPath(path).parent)
            part = path + ".part"
            if folder != "/":
                self._fs.makedirs(folder, exist_ok=True)
            with self._fs.open(part, "wb") as file:
                file.write(data)
            self._fs.rename(part, path)

    def remove(self, path: str) -> None:
        """Removes a file or a folder with all in it. Raises FileNotFoundError."""
        with _translated(path):
            self._fs.remove(_kept(path), recursive=True)

    def used(self) -> int:
        """The bytes of the blocks that are in use."""
        return self._fs.used_block_count * BLOCK

    def image(self) -> bytes:
        """The image as it is now."""
        return bytes(self._context.buffer)


def _kept(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode(_ENCODING)


def _shown(path: str) -> str:
    return path.encode(_ENCODING).decode("utf-8", "surrogateescape")


def blank(size: int) -> bytes:
    """A formatted image without files."""
    context = UserContext(buffer=bytearray(b"\xff" * size))
    LittleFS(context, block_count=size // BLOCK, lookahead_size=_LOOKAHEAD, **_GEOMETRY)
    return bytes(context.buffer)


def load(path: Path) -> Files:
    """The files of an image file. Raises ImageError, OSError."""
    return Files(path.read_bytes())


@contextlib.contextmanager
def session(path: Path) -> Iterator[Files]:
    """Files to change; they reach the image file when the block ends without an exception."""
    files = load(path)
    yield files
    replace(path, files.image())


def replace(path: Path, data: bytes) -> None:
    """Puts data in a file's place, whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(name, path)
    except BaseException as error:
        os.unlink(name)
        if isinstance(error, OSError):
            error.filename = str(path)  # that of a full disk names none
        raise


@contextlib.contextmanager
def _translated(path: str):
    # littlefs-python raises FileNotFoundError from open() and its own errors elsewhere.
    try:
        yield
    except LittleFSError as error:
        if error.code == LittleFSError.Error.LFS_ERR_NOENT:
            raise FileNotFoundError(2, "no such file on the board", path) from None
        if error.code == LittleFSError.Error.LFS_ERR_NOSPC:
            raise ImageError(f"{path} does not fit: the flash is full") from None
        raise ImageError(f"{path}: {error}") from None
    except (FileNotFoundError, IsADirectoryError):
        raise FileNotFoundError(2, "no such file on the board", path) from None
