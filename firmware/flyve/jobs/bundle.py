"""Bundles: tar archives, checked as a whole before anything is written, unpacked in a stream."""

import sys

from micropython import const

from flyve.jobs import files
from flyve.registry import Failed, Incompatible

BUFFER = const(4096)  # bytes of the buffer that check() and unpack() want

_RECORD = const(512)
_MEMBERS = const(200)
_LONGEST = const(120)  # characters of a member's path
_SPARSE = const("refused: sparse file: pack it without --sparse")


def check_mpy(head):
    """Raises Incompatible when this board does not load an .mpy that starts with head."""
    own = sys.implementation._mpy
    native = head[2] >> 2 & 0x2F
    if head[1] != own & 255 or head[3] > 31 or (native and (head[2] ^ own >> 8) & 0xBF):
        raise Incompatible("compiled for another MicroPython")


def _text(field):
    return bytes(field).split(b"\0", 1)[0].decode()


def _path(head):
    """The member's path, without a leading "./"; "" for the bundle's own folder."""
    path = _text(head[:100])
    if head[263] != 32:  # GNU's magic ends in a blank, and has other things there
        prefix = _text(head[345:500])
        path = prefix + "/" + path if prefix else path
    if path.startswith("./"):
        path = path[2:]
    path = path[:-1] if path.endswith("/") else path
    if path and path != ".":
        refused = len(path) > _LONGEST
        for c in path:
            refused = refused or c < " " or c in "\\:\x7f"
        if refused:
            raise Failed("refused name")
        for part in path.split("/"):
            if part in ["", ".", ".."]:
                raise Failed("refused path " + path)
        return path
    return ""


def _members(f, buf):
    """Yields (path, size, True for a folder) with the file at the data; some have no path."""
    head = buf[:_RECORD]
    at = 0
    end = f.seek(0, 2)
    while True:
        f.seek(at)
        if f.readinto(head) < _RECORD:
            raise Failed("truncated bundle")
        if not any(head):
            return
        total = sum(head) - sum(head[148:156]) + 256
        kind = chr(head[156])
        try:
            if int(_text(head[148:156]), 8) != total:
                raise ValueError
            size = int(_text(head[124:136]), 8)
            path = None if kind in "xg" else _path(head)
        except ValueError:
            raise Failed("damaged bundle")
        at += _RECORD
        if size < 0 or size > end - at:
            raise Failed("truncated bundle")
        if kind in "xg":
            # Times and owners are of no use here; a path or a size would be missed.
            n = f.readinto(buf)
            pax = bytes(buf[: min(n, size)])
            if b"GNU.sparse." in pax or b"realsize=" in pax:
                raise Failed(_SPARSE)
            if size > n or b"path=" in pax or b" size=" in pax:
                raise Failed("names too long")
        elif kind in "12346":
            raise Failed("refused: link or device " + path)
        elif kind == "S":
            raise Failed(_SPARSE)
        elif kind not in "\x0005":
            raise Failed("refused: member of type %s: %s" % (repr(kind), path))
        if kind == "5":
            size = 0
        yield path, size, kind == "5"
        at += (size + _RECORD - 1) // _RECORD * _RECORD


def check(f, buf, wanted=None):
    """A job over the open file: raises Failed or Incompatible for what must not be unpacked, else
    returns the bytes of flash that it needs. wanted: a path that has to be there."""
    need = members = 0
    for path, size, folder in _members(f, buf):
        members += 1
        if members > _MEMBERS:
            raise Failed("too many members")
        need += 8192 if folder else size // 4080 * 4096 + 4096
        if path == wanted:
            wanted = None
        if path and path.endswith(".mpy") and not folder:
            if f.readinto(buf[:4]) < 4 or size < 4 or buf[0] != 77:
                raise Failed("damaged module " + path)
            check_mpy(buf)
        yield
    if wanted:
        raise Failed("without " + wanted)
    return need


def unpack(f, buf, target):
    """A job: unpacks the checked bundle below the folder target, which it makes."""
    files.mkdirs(target + "/")
    for path, left, folder in _members(f, buf):
        if not path:
            continue
        path = target + "/" + path
        files.mkdirs(path + "/" if folder else path)
        if not folder:
            start = path.endswith(".py")
            with open(path, "wb") as out:
                while left:
                    n = f.readinto(buf[: min(left, BUFFER)])
                    # MicroPython takes a byte order mark for an error.
                    mark = start and buf[:3] == b"\xef\xbb\xbf"
                    out.write(buf[3 if mark else 0 : n])
                    start = False
                    left -= n
                    yield
        yield
