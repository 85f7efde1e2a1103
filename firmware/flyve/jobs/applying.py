"""One policy, from its message to its status, with the file or application that it brings.

The modules for each step come and go: beside a connection there is room for few of them.
"""

from micropython import const

from flyve import log, memory
from flyve.registry import Failed, Incompatible
from flyve.transport import NetError

_STAGED = const("/apps.new")
_GONE = const("ERROR_GLPI_LOGIN_USER_TOKEN")


def run(online, ask, again, policy):
    """A job: deals with the policy at hand, as opening.py describes it; a newer message about its
    task ends it.

    ask: None, or the backend is to say whether the task is for us: True, before anything is done;
    False, if it can be asked. again: how often it was begun before, and broke off."""
    job = _task(online, ask, again, policy)
    for idle in job:
        yield idle
        late = _moved(online, policy)
        for one in online.box["policies"]:
            late = late or one["id"] == policy["id"] and one["payload"] != policy["payload"]
        if late:
            job.close()
            log.info("policies", "task %s is out of date", policy["id"])
            break


def _moved(online, policy):
    """True when the policy is for a fleet that the agent has left."""
    return policy["fleet"] not in [None, online.rec.get("fleet")]


def _task(online, ask, again, policy):
    if _moved(online, policy):
        return
    # What the broker has kept may be for another agent that had our serial before.
    if ask is not None:
        yield
        ours = _ours(online, policy["id"], ask)
        memory.drop("rows", "glpi")
        if not ours:
            log.warn("policies", "task %s is not ours: ignored", policy["id"])
            return
        policy["ours"] = True
        again = 0
    planned = yield from _plan(online, again, policy)
    if not planned:
        return
    # A file, or with a version the application called place.
    task, (item, place, version) = planned
    status = "done"
    memory.drop("policies")
    try:
        file = place if version is None else _STAGED
        there = yield from _deliver(online, item, file, version is not None)
        if version is not None:
            if (yield from _install(there, place, version, task)):
                status = "trial"
            else:
                online.agent.refresh_apps(place)
    except (Failed, Incompatible) as e:
        status = e
    except NetError as e:
        # The agent's own account may be gone for good: then it is not this task that failed.
        if e.code == _GONE or not e.refused():
            raise
        status = Failed(str(e))
    memory.drop()
    from flyve.jobs import policies

    yield from policies.finish(online, task, status)


# Each in a frame of its own: what a frame names stays in memory as long as that.


def _plan(online, again, policy):
    from flyve.jobs import policies

    return (yield from policies.begin(online, again, policy))


def _begin(*what):
    from flyve.jobs import delivery_steps

    return delivery_steps.begin(*what)


def _deliver(online, *what):
    part = _begin(online, *what)
    memory.drop("delivery_steps")
    from flyve.jobs import delivery

    return (yield from delivery.run(online, part))


def _install(*what):
    from flyve.jobs import packages

    return (yield from packages.install(*what))


def _ours(*what):
    from flyve.jobs import rows

    return rows.ours(*what)
