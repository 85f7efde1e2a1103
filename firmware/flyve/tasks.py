"""The tasks that were dealt with, in a file: a line a task, so that memory does not grow.

A task is [id, symbol, origin, digest, status, value]: origin "agent" or "fleet", digest the CRC32
of its message, status its last one ("trial" for an installed update: the backend still has
"waiting"), value what the policy set.
"""

import json
import os

from micropython import const

PATH = const("/tasks.json")
_NEW = const("/tasks.new")
_LIMIT = const(128)


def each():
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
                task = json.loads(line)
            except ValueError:
                continue
            if isinstance(task, list) and len(task) == 6:
                yield task
    finally:
        f.close()


def first(*wanted):
    """The oldest task that has the wanted values (an index, its value, and so on), or None."""
    found = None
    for task in each():  # to the end: a file left open is closed by a collection, at a bad time
        fits = found is None
        for i in range(0, len(wanted), 2):
            fits = fits and task[wanted[i]] == wanted[i + 1]
        if fits:
            found = task
    return found


def rewrite(gone, new=None):
    """Drops the tasks whose ids are in gone and adds the new one, if any: in one step, a power cut
    leaves the old file or the new one."""
    count = new is not None
    for task in each():
        count += task[0] not in gone
    with open(_NEW, "w") as f:
        for task in each():
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
