"""The jobs of an enrolled agent besides its commands: which is due, and what if it breaks off.

Each duty returns a job or None; `state` is the Online object.
"""

from flyve import VERSION, log, resident


def find(state):
    """The next job; after one that failed the search begins behind it, so that none starves."""
    for _ in _DUTIES:
        job = _DUTIES[state.duty](state)
        if job:
            resident.drop("duties")  # most jobs have no use for it
            return job
        state.duty = (state.duty + 1) % len(_DUTIES)


def failed(state, failure):
    """A job broke off: it comes again later, or at once without the link beside it."""
    link = state.agent.link
    was_alone, state.alone = state.alone, False
    state.duty = (state.duty + 1) % len(_DUTIES)
    if state.entry and state.entry not in state.inbox.policies:
        # Not the task's own failure but trouble on the way.
        state.inbox.policies.append(state.entry)
    if _no_memory(failure) and link.up and not was_alone:
        log.info("online", "the link makes room")
        link.close()
        state.alone = True
    else:
        log.info("online", "next try in %d ms", state.retry.failed())


def _no_memory(e):
    if isinstance(e, MemoryError) or getattr(e, "kind", None) == "memory":
        return True
    return isinstance(e, OSError) and e.errno in (12, 105)


def greet(agent):
    """What follows on a new connection."""
    agent.tell("online")
    agent.rec.save(doubt=None)
    if agent.rec.get("generation") == "A":
        version = b'{"version":"%s"}' % VERSION.encode()
        agent.link.say(agent.link.topic + "/FlyvemdmManifest/Status/Version", version)
    resident.drop("duties")


def _open(state):
    """Whether there may be a way to the backend's REST API."""
    return state.agent.link.up or state.alone


def _settle(state):
    if state.update and state.agent.link.up:
        return _settled(state)


def _settled(state):
    yield from state.agent.load("policies", "settle")
    state.update = False


def _verify(state):
    if state.guarded and _open(state):
        return _checked(state, list(state.guarded)[0])


def _checked(state, name):
    agent = state.agent
    message, since = state.guarded[name]
    if name == "lock":
        unlock = str(message.get("lock")).lower() == "unlock"
        if unlock != bool(agent.rec.get("lock")):
            del state.guarded[name]  # it is so already
            return
    obey = yield from resident.load("guard").check(agent, name, message, since)
    if state.guarded.pop(name, None) and obey:
        resident.drop("guard", "rest")
        yield from resident.load("commands").run(agent, name, message, False)


def _stopped(state):
    if state.failed and state.agent.link.up:
        return state.agent.load("policies", "app_failed", state.failed.pop(0))


def _policy(state):
    if state.inbox.policies and _open(state):
        return resident.load("applying").run(state)


def _doubt(state):
    link = state.agent.link
    if link.down and getattr(link.reason, "code", 0) in (4, 5):
        if link.reason is not state.refusal:
            state.refusal = link.reason
            return state.agent.load("leaving", "doubt")


def _report(state):
    if state.agent.reports and _open(state):
        return _tell(state.agent, state.agent.reports[0])


def _tell(agent, report):
    yield from resident.load("report").send(agent, *report)
    if report in agent.reports:
        agent.reports.remove(report)


def _user(state):
    if state.agent.user and _open(state):
        return _put(state.agent, state.agent.user)


def _put(agent, wanted):
    yield from resident.load("user").update(agent, wanted)
    if agent.user is wanted:
        agent.user = None


_DUTIES = (_settle, _verify, _stopped, _policy, _doubt, _report, _user)
