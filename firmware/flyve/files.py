"""Files from the network: where they may go, and what comes before and after a download."""

import binascii
import hashlib
import json
import os

from micropython import const

from flyve import log
from flyve.registry import Failed

ROOTS = {
    "SDCARD": "/files",
    "DOCUMENTS": "/files/documents",
    "PHOTOS": "/files/photos",
    "MUSIC": "/files/music",
}
_LONGEST = const(160)
_PART = const("/part")  # what has come so far
_JOURNAL = const("/part.json")  # of which file; made before the part and removed after it


def segment(name):
    """The name, if it can be a file's name; raises Failed."""
    if name in ("", ".", "..") or len(name) > 64 or any(c in name for c in "/\\%\0\r\n"):
        raise Failed("refused file name")
    return name


def resolve(place, roots=None):
    """The full path that place (e.g. "%SDCARD%/dir/") stands for, with its trailing slash, if it
    has one; raises Failed for an unknown root, a traversal, or a path outside all roots."""
    roots = roots or ROOTS
    if place.startswith("%"):
        name, percent, rest = place[1:].partition("%")
        root = roots.get(name) if percent else None
        if root is None:
            raise Failed("unknown root in " + place[:64])
        if not rest.startswith("/"):
            raise Failed("refused path")
        place = root + rest
    if len(place) > _LONGEST:
        raise Failed("path too long")
    if not any(place.startswith(root + "/") for root in roots.values()):
        raise Failed("path outside the roots")
    parts = place[1:].split("/")
    for part in parts[:-1] if place.endswith("/") else parts:
        segment(part)
    return place


def _size(path):
    try:
        return os.stat(path)[6]
    except OSError:
        return -1


def discard():
    """Forgets a download that will not be continued."""
    for path in (_JOURNAL, _PART):
        if _size(path) >= 0:
            os.remove(path)


def begin(delivery):
    """A job: finds out how much of the file is there; returns True when that is all of it and in
    its place. Raises Failed when it cannot be taken."""
    path = delivery.place
    if path.endswith("/"):
        path += segment(str(delivery.form.get("name")))
    delivery.path = path
    file = [delivery.item, path, delivery.form]
    try:
        with open(_JOURNAL) as f:
            journal = json.load(f)
    except (OSError, ValueError):
        journal = {}
    if journal.get("file") != file:
        discard()
        journal = {"file": file}
    delivery.journal = journal
    delivery.hash = hashlib.sha256()
    delivery.have = delivery.requests = 0
    left = delivery.total
    part = _size(_PART)
    if part > 0:
        log.info("download", "goes on at byte %d of %d", part, left)
        delivery.requests = 1
        buf = memoryview(bytearray(4096))
        with open(_PART, "rb") as f:
            while delivery.have < part:
                n = f.readinto(buf)
                delivery.hash.update(buf[:n])
                delivery.have += n
                yield
        left -= part
    elif part and _size(path) == left and "sha256" in journal:
        # A cut came between the last two steps.
        _over(delivery)
        return True
    st = os.statvfs("/")
    # Each block of a file holds pointers too; directories and the journal need some.
    if left // (st[0] - 8) + 5 > st[3]:
        raise Failed("no space: %d bytes to come, %d free" % (left, st[0] * st[3]))


def end(delivery):
    """A job: puts the whole file in the place of the old one, by one rename."""
    delivery.journal["sha256"] = binascii.hexlify(delivery.hash.digest()).decode()
    with open(_JOURNAL, "w") as f:
        json.dump(delivery.journal, f)
    yield
    path = delivery.path
    at = path.find("/", 1)
    while at > 0:
        if _size(path[:at]) < 0:
            os.mkdir(path[:at])
        at = path.find("/", at + 1)
    os.rename(_PART, path)
    _over(delivery)


def _over(delivery):
    os.remove(_JOURNAL)
    done = delivery.path, delivery.total, delivery.journal["sha256"]
    log.info("download", "done path=%s bytes=%d sha256=%s", *done)
