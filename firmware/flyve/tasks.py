"""The tasks that were dealt with, in a file: a line a task, so that memory does not grow.

A task is [id, symbol, origin, digest, status, value]: origin "agent" or "fleet", digest the CRC32
of its message, status its last one, value what the policy set.
"""

import json
import os

from micropython import const

PATH = "/tasks.json"
_NEW = "/tasks.new"
_LIMIT = const(128)

TRIAL = "trial"  # the status of an installed update; the backend still has "waiting"
ID, SYMBOL, ORIGIN, DIGEST, STATUS, VALUE = range(6)


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


def first(test):
    """The oldest task for which test(task) is true, or None."""
    found = None
    for task in each():  # to the end: a file left open is closed by a collection, at a bad time
        if found is None and test(task):
            found = task
    return found


def find(task_id):
    """The task with this id, or None."""
    return first(lambda task: task[ID] == task_id)


def rewrite(keep, new=None):
    """Keeps the tasks for which keep(task) is true and adds the new one, if any: in one step,
    a power cut leaves the old file or the new one."""
    count = sum(1 for task in each() if keep(task)) + (new is not None)
    with open(_NEW, "w") as f:
        for task in each():
            if keep(task):
                count -= 1
                if count < _LIMIT:
                    f.write(json.dumps(task) + "\n")
        if new is not None:
            f.write(json.dumps(new) + "\n")
    os.rename(_NEW, PATH)


def put(task):
    """Makes the task durable, in place of one with the same id."""
    rewrite(lambda other: other[ID] != task[ID], task)
