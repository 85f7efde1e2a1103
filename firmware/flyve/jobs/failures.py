"""Why the last tasks failed, on the flash, for the inventory: of a task itself the backend takes
nothing but its status."""

import json
import os

from micropython import const

from flyve import log
from flyve.backoff import uniform
from flyve.text import cut, loads, plain
from flyve.text import read as read_file

PATH = const("/failures.json")  # [owner, [[task id, symbol, status, reason], ...]], oldest first
_TASKS = const(8)
_LONGEST = const(160)  # bytes of a reason
_SHORT = const(40)  # of an id or a symbol
# Between two inventories for such a reason, and four times as long each time: the backend imports
# each, and the whole fleet waits for that.
_PAUSE_MS = const(10000)
_LONGEST_MS = const(600000)


def _owner(rec):
    return "%s %s" % (rec.get("agent_id"), rec.get("link"))


def read(agent):
    """The rows of this enrollment."""
    try:
        owner, rows = loads(read_file(PATH, 8192))
        if owner == _owner(agent.rec):
            return [[str(cell) for cell in row] for row in rows if len(row) == 4]
    except (OSError, ValueError, TypeError, MemoryError):
        pass  # there is none, or it is of no use
    return []


def note(agent, task, status, reason):
    """Keeps why a task (see tasks.py) failed, and makes an inventory due: at once for a task of
    the agent's own; a fleet's agents do not send theirs all at once."""
    row = [plain(log.redact(str(cell))) for cell in (task[0], task[1], status, reason)]
    row = [cut(cell, _LONGEST if i == 3 else _SHORT) for i, cell in enumerate(row)]
    rows = [other for other in read(agent) if other[0] != row[0]]
    _write(agent, rows[1 - _TASKS :] + [row])
    if not agent.due:
        spread = agent.settings["reconnect_spread"] * 1000 if task[2] == "fleet" else 0
        agent.due = max(log.uptime() + uniform(0, spread), agent.rested, 1)


def sent(agent):
    """The inventory goes out that note() has made due."""
    now = log.uptime()
    calm = now >= agent.rested + _LONGEST_MS
    agent.pause = _PAUSE_MS if calm else min(_LONGEST_MS, max(_PAUSE_MS, 4 * agent.pause))
    agent.due = 0
    agent.rested = now + agent.pause


def forget(agent, gone):
    """Drops the tasks whose ids are in gone: done after all, or taken back."""
    gone = [cut(str(one), _SHORT) for one in gone]
    rows = read(agent)
    kept = [row for row in rows if row[0] not in gone]
    if len(kept) < len(rows):
        _write(agent, kept)


def _write(agent, rows):
    try:
        with open(PATH, "w") as f:
            json.dump([_owner(agent.rec), rows], f)
    except (OSError, MemoryError) as e:
        log.debug("policies", "the reason is not kept: %s", e)
        try:
            os.remove(PATH)  # what is there may be wrong by now
        except OSError:
            pass
