"""One policy, from its message to its status; the modules for it come and go, one at a time."""

from flyve import log, resident


def run(state):
    """A job: deals with the oldest policy; a newer message about its task ends it. state: the
    Online object, whose `entry` is the policy that broke off, if this one does."""
    inbox, rec = state.inbox, state.agent.rec
    entry = inbox.take(inbox.policies)
    again = entry is state.entry
    state.entry = entry
    job = _task(state.agent, again, entry)
    for idle in job:
        yield idle
        if entry[0] and entry[0] != rec.get("fleet"):
            break
        if any(other[2] == entry[2] and other[3] != entry[3] for other in inbox.policies):
            break
    else:
        state.entry = None
        return
    job.close()
    state.entry = None
    log.info("policies", "task %s is out of date", entry[2])


def _task(agent, again, entry):
    resident.drop("duties")
    planned = yield from resident.load("policies").begin(agent, again, *entry)
    if planned:
        resident.drop("policies", "tasks", "places")
        status = yield from resident.load("deploy").run(agent, *planned)
        resident.drop()
        yield from resident.load("policies").finish(agent, planned[0], status)
