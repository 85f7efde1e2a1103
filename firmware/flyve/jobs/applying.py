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
    memory.drop("policies", "paths")
    try:
        file = place if version is None else _STAGED
        # No name for the part here: what follows needs the memory.
        there = yield from deliver(online, _begin(online, item, file, version is not None))
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


def deliver(online, part):
    """A job: brings the file of a part (delivery_steps.begin), and yields after each piece of at
    most 4 KiB; at its end the file is in its place. Returns its path, or the OTA partition that
    an image is in.

    Raises Failed or Incompatible when it cannot be had, nothing of it is kept then; NetError
    when the same may go on later, from what is durable."""
    failure = None
    try:
        while _decide(part, failure):
            memory.drop("delivery_steps")
            failure = None
            try:
                answer = None if part["ask"] is None else _request(online, part)
                memory.drop("rest")
                yield from _work(part, answer)
            except Exception as e:
                failure = e
            answer = None
            memory.drop("download", "journal", "delivery_form", "jsonpick", "slot", "files")
            yield
        return part["slot"] or part["path"]
    finally:
        if part["file"]:
            part["file"].close()


# Each in a frame of its own: what a frame names stays in memory as long as that.


def _plan(online, again, policy):
    from flyve.jobs import policies

    return (yield from policies.begin(online, again, policy))


def _begin(*what):
    from flyve.jobs import delivery_steps

    return delivery_steps.begin(*what)


def _decide(part, failure):
    from flyve.jobs import delivery_steps as steps

    return steps.decide(part, failure)


def _request(online, part):
    from flyve.jobs import rest

    api = rest.resume(online)
    answer = rest.request(api, "GET", part["item"], "", part["ask"], None, 2 * part["ms"], True)
    answer[2].extend(part["ms"])
    return answer


def _work(part, answer):
    if answer is None:
        yield from _begin_or_end(part)
    elif not part["ask"]:
        from flyve.jobs import delivery_form as form

        form.read(part, answer)
    elif (yield from _take(part, answer)):
        memory.drop("download")
        yield from _begin_or_end(part)


def _take(*what):
    from flyve.jobs import download

    return download.work(*what)


def _begin_or_end(part):
    from flyve.jobs import journal

    return journal.work(part)


def _install(*what):
    from flyve.jobs import packages

    return (yield from packages.install(*what))


def _ours(*what):
    from flyve.jobs import rows

    return rows.ours(*what)
