"""How a task ends after all that was dealt with: the update that it brought has proved itself or
not, or its application was stopped."""

from micropython import const

from flyve import log
from flyve.jobs import policies, tasks
from flyve.registry import Failed

_FELL = const("it crashed or did not come online: the one before it is back")


def settle(online):
    """A job: tells how an update of the agent or of the firmware has ended; note "settled": that
    is done."""
    from flyve.jobs import update

    update.confirm()
    ended = update.status()
    if ended in ["confirmed", "failed"]:
        log.info("policies", "update %s", ended)
        while True:
            task = tasks.find(status="trial")
            if task is None:
                break
            status = "done" if ended == "confirmed" else Failed(_FELL)
            yield from policies.finish(online, task, status)
        update.forget()
    online.notes["settled"] = True


def app_failed(online):
    """A job: the task that installed the first of the failed applications failed after all."""
    name, why = online.box["failed"][0]
    task = tasks.find(symbol="deployapp", value=name, status="done")
    if task:
        yield from policies.finish(online, task, Failed("stopped: " + why))
    online.box["failed"].pop(0)
