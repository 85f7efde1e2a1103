"""The tasks that were dealt with, in a file on the flash.

A line a task, so that memory does not grow: the values of _FIELDS. The first line names the
enrollment that they belong to; agents before 2026-12 wrote none. origin is "agent" or "fleet",
digest the CRC32 of the message, status the last one ("trial" for an installed update: the backend
still has "waiting"), value what the policy set.
"""

import json
import os

from micropython import const

from flyve import memory, registry
from flyve.jobs import files, texts

PATH = const("/tasks.json")
_FIELDS = const(("id", "symbol", "origin", "digest", "status", "value"))
_NEW = const("/tasks.new")
_FAILURES = const("/failures.json")  # failures.py has it
_LONGEST = const(2048)  # bytes of a line
_PIECE = const(256)  # of them: as much memory as one readline() takes, however short the line is
_SPARED = const(8192)  # bytes of flash: blocks of littlefs, and what others write meanwhile


def _owned(line):
    """The owner that a line names: whose enrollment the tasks belong to; None if it is a task, or
    no line at all."""
    if line[:8] == b'{"owner"':
        try:
            return texts.loads(line)["owner"]
        except (ValueError, KeyError):
            return -1
    return None


def _read_line(f):
    line = f.readline(_PIECE)
    while line[-1:] != b"\n" and len(line) < _LONGEST:
        more = f.readline(_PIECE)
        if not more:
            break
        line += more
    return line


def _lines(place=0):
    """Yields (line, where the next one begins), from an offset in the file on; nothing of a file
    of another enrollment."""
    try:
        f = open(PATH, "rb")
    except OSError:
        return
    try:
        owner = _owned(_read_line(f))
        if registry.owner is not None and owner not in [None, registry.owner]:
            return
        f.seek(place)
        while True:
            line = _read_line(f)
            if not line:
                return
            place += len(line)
            yield line, place
    finally:
        f.close()


def tasks():
    """Yields the tasks, oldest first; a line that cannot be read is passed over."""
    for line, _ in _lines():
        task = _task(line)
        if task:
            yield task


def _task(line):
    try:
        values = texts.loads(line)
    except ValueError:
        return None
    if isinstance(values, list) and len(values) == len(_FIELDS):
        return dict(zip(_FIELDS, values))


def _line(task):
    return json.dumps([task[name] for name in _FIELDS]) + "\n"


def make(*values):
    """A task, with the values of its fields in their order."""
    return dict(zip(_FIELDS, values))


def some(place, count=8):
    """At most count tasks from an offset in the file on, and the offset of the next one, or None
    at the end. The file is not open between two calls."""
    found = []
    lines = _lines(place)
    for line, place in lines:
        task = _task(line)
        if task:
            found.append(task)
        if len(found) == count:
            lines.close()
            return found, place
    return found, None


def find(**wanted):
    """The oldest task whose fields have the wanted values, or None."""
    found = None
    for task in tasks():  # to the end: a file left open is closed by a collection, at a bad time
        if found is None and not [name for name in wanted if task[name] != wanted[name]]:
            found = task
    return found


def room():
    """True when the flash has room for another task, and for the copy that a change makes."""
    size, count, _ = files.free()
    return files.size(PATH) + _SPARED < size * count


def clear(rec, gone):
    """Why the tasks with these ids have failed is of no interest any more."""
    if files.size(_FAILURES) > 0:
        from flyve.jobs import failures

        failures.forget(rec, gone)
        failures = None
        memory.drop("failures")


def rewrite(gone, new=None, origin=None):
    """Drops the tasks whose ids are in gone, and those of that origin, and adds the new one, if
    any: in one step, a power cut leaves the old file or the new one. Raises OSError when there is
    no room."""
    try:
        with open(_NEW, "w") as f:
            empty = True
            for task in _and(tasks(), new):
                if task is new or task["id"] not in gone and task["origin"] != origin:
                    if empty and registry.owner is not None:
                        f.write(json.dumps({"owner": registry.owner}) + "\n")
                    empty = False
                    f.write(_line(task))
        os.rename(_NEW, PATH)
    except OSError:
        try:
            os.remove(_NEW)
        except OSError:
            pass
        raise


def _and(some, last):
    yield from some
    if last:
        yield last


def put(task):
    """Makes the task durable, in place of one with the same id. Raises OSError when there is no
    room."""
    text = _line(task).encode()
    if len(text) > _LONGEST or not _task(text):
        return  # nobody could read it again
    line = b""
    fits = files.size(PATH) > 0
    for line, _ in _lines():
        one = _task(line)
        if one and one["id"] == task["id"]:
            fits = False
    if fits and line[-1:] == b"\n":
        # littlefs shows what was appended when the file is closed, all of it or nothing.
        with open(PATH, "ab") as f:
            f.write(text)
    else:
        rewrite([task["id"]], task)
