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
    refused = name in ["", ".", ".."] or len(name) > 64
    for c in "/\\%\0\r\n":
        refused = refused or c in name
    if refused:
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
    for root in roots.values():
        if place.startswith(root + "/"):
            break
    else:
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


def mkdirs(path):
    """Makes the folders in a path that are not there, those up to its last slash."""
    at = path.find("/", 1)
    while at > 0:
        if _size(path[:at]) < 0:
            os.mkdir(path[:at])
        at = path.find("/", at + 1)


def discard():
    """Forgets a download that will not be continued."""
    for path in (_JOURNAL, _PART):
        if _size(path) >= 0:
            os.remove(path)


def begin(d):
    """A job: finds out how much there is of the file of the Delivery d; returns True when that is
    all of it and in its place. Raises Failed when it cannot be taken."""
    path = d.place
    if path.endswith("/"):
        path += segment(str(d.form.get("name")))
    d.path = path
    file = [d.item, path, d.form]
    try:
        with open(_JOURNAL) as f:
            journal = json.load(f)
    except (OSError, ValueError):
        journal = {}
    if journal.get("file") != file:
        discard()
        journal = {"file": file}
    d.journal = journal
    d.hash = hashlib.sha256()
    d.have = d.requests = d.block = 0
    d.edge = 4096
    left = d.total
    part = _size(_PART)
    if part > 0:
        log.info("download", "goes on at byte %d of %d", part, left)
        d.requests = 1
        buf = memoryview(bytearray(4096))
        with open(_PART, "rb") as f:
            while d.have < part:
                n = f.readinto(buf)
                d.hash.update(buf[:n])
                d.have += n
                yield
        left -= part
    elif part and _size(path) == left and "sha256" in journal:
        # A cut came between the last two steps.
        _over(d)
        return True
    st = os.statvfs("/")
    # Each block of a file holds pointers too; directories and the journal need some.
    if left // (st[0] - 8) + 5 > st[3]:
        raise Failed("no space: %d bytes to come, %d free" % (left, st[0] * st[3]))


def end(d):
    """A job: puts the whole file in the place of the old one, by one rename."""
    d.journal["sha256"] = binascii.hexlify(d.hash.digest()).decode()
    with open(_JOURNAL, "w") as f:
        json.dump(d.journal, f)
    yield
    mkdirs(d.path)
    os.rename(_PART, d.path)
    _over(d)


def _over(d):
    os.remove(_JOURNAL)
    done = d.path, d.total, d.journal["sha256"]
    log.info("download", "done path=%s bytes=%d sha256=%s", *done)
