"""What is on the flash, and how much room is left."""

import json
import os

from flyve.registry import Failed


def size(path):
    """The bytes of a file, no certain number for a folder, -1 when it is not there."""
    try:
        return os.stat(path)[6]
    except OSError:
        return -1


def mkdirs(path):
    """Makes the folders in a path that are not there, those up to its last slash."""
    at = path.find("/", 1)
    while at > 0:  # mutants: no folder has an empty name
        if size(path[:at]) < 0:
            os.mkdir(path[:at])
        at = path.find("/", at + 1)


def delete(path):
    """A job: removes the file or the folder, with all in it; it need not exist."""
    try:
        if os.stat(path)[0] & 0x4000:
            for name in os.listdir(path):
                yield from delete(path + "/" + name)
            os.rmdir(path)
        else:
            os.remove(path)
    except OSError as e:
        if e.errno != 2:  # ENOENT
            raise
    yield


def free():
    """(bytes of a block of the flash, how many of them are free, how many there are). littlefs
    looks at every file for that, in thousands of reads: ask once, and where it decides."""
    st = os.statvfs("/")
    # littlefs counts what two files share twice: it may come to more than there is, and what is
    # free is then below zero, or wraps.
    return st[0], st[3] if 0 <= st[3] <= st[2] else 0, st[2]


def check_room(left):
    """Raises Failed when the flash has no room for so many bytes of a file."""
    size, count, _ = free()
    # Each block of a file holds pointers too; directories and the journal need some.
    if left // (size - 8) + 5 > count:  # mutants: a margin of a block more or less
        raise Failed("no space: %d bytes to come, %d free" % (left, size * count))


def keep(path, value):
    """Writes a JSON value into a small file. Until its close the old content stays: a cut leaves
    the old value or the new one. No byte is there for the eye: each piece of 32 bytes is a write
    of the flash."""
    with open(path, "w") as f:
        json.dump(value, f, separators=(",", ":"))
