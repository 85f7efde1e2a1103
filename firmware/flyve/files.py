"""What policies keep on the flash: where files may go, and the tasks that were dealt with.

The tasks are in a file, a line a task, so that memory does not grow. A task is [id, symbol,
origin, digest, status, value]: origin "agent" or "fleet", digest the CRC32 of its message, status
its last one ("trial" for an installed update: the backend still has "waiting"), value what the
policy set.
"""

import json
import os

from micropython import const

from flyve.registry import Failed
from flyve.text import loads

ROOTS = {
    "SDCARD": "/files",
    "DOCUMENTS": "/files/documents",
    "PHOTOS": "/files/photos",
    "MUSIC": "/files/music",
}
_LONGEST = const(160)
PATH = const("/tasks.json")
_NEW = const("/tasks.new")
_LIMIT = const(128)  # tasks


def segment(name):
    """The name, if it can be a file's name; raises Failed."""
    # In littlefs a name has at most 255 bytes.
    refused = name in ["", ".", ".."] or len(name) > 64 or len(name.encode()) > 255
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


def size(path):
    """The bytes of a file, 0 for a folder, -1 when it is not there."""
    try:
        return os.stat(path)[6]
    except OSError:
        return -1


def mkdirs(path):
    """Makes the folders in a path that are not there, those up to its last slash."""
    at = path.find("/", 1)
    while at > 0:
        if size(path[:at]) < 0:
            os.mkdir(path[:at])
        at = path.find("/", at + 1)


def tasks():
    """Yields the tasks, oldest first; a line that cannot be read is passed over."""
    try:
        f = open(PATH, "rb")
    except OSError:
        return
    try:
        while True:
            line = f.readline()
            if not line:
                return
            try:
                task = loads(line)
            except ValueError:
                continue
            if isinstance(task, list) and len(task) == 6:
                yield task
    finally:
        f.close()


def task(*wanted):
    """The oldest task that has the wanted values (an index, its value, and so on), or None."""
    found = None
    for one in tasks():  # to the end: a file left open is closed by a collection, at a bad time
        fits = found is None
        for i in range(0, len(wanted), 2):
            fits = fits and one[wanted[i]] == wanted[i + 1]
        if fits:
            found = one
    return found


def rewrite(gone, new=None):
    """Drops the tasks whose ids are in gone and adds the new one, if any: in one step, a power cut
    leaves the old file or the new one."""
    count = new is not None
    for task in tasks():
        count += task[0] not in gone
    with open(_NEW, "w") as f:
        for task in tasks():
            if task[0] not in gone:
                count -= 1
                if count < _LIMIT:
                    f.write(json.dumps(task) + "\n")
        if new:
            f.write(json.dumps(new) + "\n")
    os.rename(_NEW, PATH)


def put(task):
    """Makes the task durable, in place of one with the same id."""
    rewrite(task[:1], task)
