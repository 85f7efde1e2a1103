"""Policies that no longer hold: the backend has taken them back, or the agent has left their
fleet."""

from micropython import const

from flyve import log, memory, registry
from flyve.jobs import tasks

_BEATEN = const("overriden")  # policies.py has it


def _revert(agent, task):
    """Takes back what the task has set."""
    symbol = task["symbol"]
    apply, revert = registry.policies.get(symbol, (None, None))
    if task["status"] == "done":
        if apply:
            try:
                if revert:
                    revert(agent, task["value"])
            except MemoryError:
                raise
            except (Exception, SystemExit) as e:  # again, it would raise again
                log.error("policies", "task %s %s: not reverted: %r", task["id"], symbol, e)
        elif symbol == "periodicgeolocation":
            agent.rec.save(locate=None)


def remove(online, task):
    """A job: forgets a task and reverts its setting; the backend has no status for that."""
    if task is None:
        return
    gone = [task["id"]]
    for other in tasks.tasks():
        if other["symbol"] == task["symbol"] and other["status"] == _BEATEN:
            gone.append(other["id"])
    _revert(online.agent, task)
    tasks.clear(online.rec, gone)
    tasks.rewrite(gone)
    from flyve.jobs import known

    for one in gone:
        known.drop(online, one)
    known = None
    memory.drop("known")
    log.info("policies", "task %s removed", gone[0])
    if len(gone) > 1:
        from flyve.jobs import mqtt_connect

        mqtt_connect.refresh(online.link, online.rec)  # now the fleet's counts
    yield


def forget_fleet(online):
    """A job: drops all tasks of the fleet that the agent has left."""
    place = 0
    count = 0
    while place is not None:
        found, place = tasks.some(place)
        for task in found:
            if task["origin"] == "fleet":
                _revert(online.agent, task)
                tasks.clear(online.rec, [task["id"]])
                count += 1
                log.info("policies", "task %s removed", task["id"])
        yield
    if count:
        tasks.rewrite([], None, "fleet")
    # What was dealt with of the old one's may come again with another life in it.
    from flyve.jobs import known

    known.read(online, True)
    known = None
    memory.drop("known")
