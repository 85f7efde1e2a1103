"""Whether a policy was taken back while we were away: its message is gone then. But a message that
did not come is no proof, so the backend is asked. The modules for each step come and go."""

from micropython import const

from flyve import log, memory
from flyve.transport import NetError

# As known.py has them.
_SILENT = const(0)
_DEALT = const(2)


def run(online):
    """A job: removes the first policy that was taken back. Raises NetError while that cannot be
    known."""
    place = 0
    while place is not None:
        found, place = _some(online, place)
        memory.drop("tasks", "known", "files", "texts")
        for task, key in found:
            yield
            if online.busy():
                return
            try:
                row = _row(online, task["id"])
            except NetError as e:
                if not e.refused():
                    raise
                log.debug("policies", "what was taken back cannot be asked: %s", e)
                break
            finally:
                memory.drop("rows", "glpi")
            if row is None:
                from flyve.jobs import removal

                yield from removal.remove(online, task)
                return  # the file has changed
            _turn(online, key)
        else:
            yield
            continue
        break
    _turn(online)


# Each in a frame of its own: what a frame names stays in memory as long as that.


def _some(online, place):
    """Some of the tasks whose message has not come, with its key, from an offset in the file on,
    and the next offset."""
    from flyve.jobs import known, tasks

    found, place = tasks.some(place)
    keys = [(task, known.number(online, task)) for task in found]
    return [one for one in keys if known.state(online, one[1]) == _SILENT], place


def _row(online, task_id):
    from flyve.jobs import rows

    return rows.row(online, task_id)


def _turn(online, key=None):
    """Nothing is to be asked of the task with that key any more, or of all."""
    from flyve.jobs import known

    if key is None:
        known.turn_all(online.box, _SILENT, _DEALT)
    else:
        known.turn(online, key, _DEALT)
    known = None
    memory.drop("known")
