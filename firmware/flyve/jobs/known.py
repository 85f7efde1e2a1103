"""The policies that were dealt with: 7 bytes a task, however many there are, so that none of them
takes a place in the queue, or a look into the file.

In Online.box `keys` has for each task 2 bytes that stand for its id and 4 that stand for its
message, see Online.key(); `states` has a byte for each.
"""

import binascii

from micropython import const

from flyve import log

SILENT = const(0)  # the broker has not brought its message on this connection
HEARD = const(1)  # it has; the status is to be told
DEALT = const(2)  # there is nothing more to do on this connection
_SIZE = const(6)


def _short(task_id):
    return (binascii.crc32(str(task_id).encode()) & 0xFFFF).to_bytes(2, "little")


def number(online, task):
    """The key of the message with which a task of the file came."""
    base = online.rec.get("fleet" if task["origin"] == "fleet" else "topic")
    topic = "%s/Policy/%s/Task/%s" % (base, task["symbol"], task["id"])
    return online.key(topic, task["digest"])


def _place(online, key):
    return online.find(key.to_bytes(4, "little"), 2)


def state(online, key):
    """The state of the message with that key, or None."""
    at = _place(online, key)
    return None if at < 0 else online.box["states"][at]


def turn(online, key, state):
    """Puts the message with that key into another state, if it is known."""
    at = _place(online, key)
    if at >= 0:
        online.box["states"][at] = state


def renewed(online, task_id):
    """There is a newer message about the task: of the known one, if there is one, nothing is to be
    told. Returns whether there is."""
    at = online.find(_short(task_id), 0)
    if at >= 0:
        online.box["states"][at] = DEALT
    return at >= 0


def turn_all(box, old, new):
    """Puts all that are in a state into another one."""
    states = box["states"]
    for at in range(len(states)):
        if states[at] == old:
            states[at] = new


def put(online, task_id, key, state):
    """Notes a task's message instead of any that it had before."""
    drop(online, task_id)
    box = online.box
    box["keys"] += _short(task_id) + key.to_bytes(4, "little")
    box["states"].append(state)


def drop(online, task_id):
    """Forgets a task."""
    at = online.find(_short(task_id), 0)
    if at >= 0:
        box = online.box
        box["keys"] = box["keys"][: at * _SIZE] + box["keys"][at * _SIZE + _SIZE :]
        box["states"] = box["states"][:at] + box["states"][at + 1 :]


def read(online, keep=False):
    """All is as the file of the tasks has it; keep: what was known already keeps its state."""
    from flyve.jobs import tasks

    box = online.box
    keys = bytearray()
    states = bytearray()
    try:
        for one in tasks.tasks():
            key = number(online, one)
            old = (keep and state(online, key)) or SILENT
            if one["status"] == "trial":
                key, old = 0, DEALT  # how that ends is told when it is known
            keys.extend(_short(one["id"]) + key.to_bytes(4, "little"))
            states.append(old)
    except OSError as e:
        # Better some of them told again than a board that does not come online.
        log.error("tasks", "%s cannot be read: %s", tasks.PATH, e)
    box["keys"] = bytes(keys)
    box["states"] = states
