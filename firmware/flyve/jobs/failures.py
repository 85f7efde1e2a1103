"""Why the last tasks failed, on the flash, for the inventory: the backend takes nothing of
a task but its status."""

import json
import os

from micropython import const

from flyve import log
from flyve.backoff import uniform
from flyve.jobs import texts

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


def read(rec):
    """The rows of this enrollment."""
    try:
        owner, rows = texts.loads(texts.read(PATH, 8192))
        if owner == _owner(rec):
            return [[str(cell) for cell in row] for row in rows if len(row) == 4]
    except (OSError, ValueError, TypeError, MemoryError):
        pass  # there is none, or it is of no use
    return []


def _short(cell, size):
    return texts.cut(texts.plain(log.redact(str(cell))), size)


def note(online, task, status, reason):
    """Keeps why a task (see tasks.py) failed, and makes an inventory due: at once for a task of
    the agent's own; a fleet's agents do not send theirs all at once. Of the notes, "inventory"
    is the uptime at which it is due, "rested" the one before which none is, "pause" how long one
    rests."""
    task_id = _short(task["id"], _SHORT)
    row = [task_id, _short(task["symbol"], _SHORT), status, _short(reason, _LONGEST)]
    rows = [other for other in read(online.rec) if other[0] != task_id]
    _write(online.rec, rows[1 - _TASKS :] + [row])
    notes = online.notes
    if not notes.get("inventory"):
        fleet = task["origin"] == "fleet"
        spread = online.settings["reconnect_spread"] * 1000 if fleet else 0
        due = log.uptime() + uniform(0, spread)
        notes["inventory"] = max(due, notes.get("rested", 1))


def sent(online):
    """The inventory that note() has made due goes out."""
    notes = online.notes
    now = log.uptime()
    pause = min(_LONGEST_MS, max(_PAUSE_MS, 4 * notes.get("pause", 0)))
    if now >= notes.get("rested", 0) + _LONGEST_MS:
        pause = _PAUSE_MS  # it has been calm
    notes["pause"] = pause
    notes["inventory"] = 0
    notes["rested"] = now + pause


def forget(rec, gone):
    """Drops the tasks whose ids are in gone: done after all, or taken back."""
    gone = [texts.cut(str(one), _SHORT) for one in gone]
    rows = read(rec)
    kept = [row for row in rows if row[0] not in gone]
    if len(kept) < len(rows):
        _write(rec, kept)


def _write(rec, rows):
    try:
        with open(PATH, "w") as f:
            json.dump([_owner(rec), rows], f)
    except (OSError, MemoryError) as e:
        log.debug("policies", "the reason is not kept: %s", e)
        try:
            os.remove(PATH)  # what is there may be wrong by now
        except OSError:
            pass
