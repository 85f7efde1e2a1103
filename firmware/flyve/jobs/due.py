"""The jobs of an enrolled agent besides its commands: which is due, and what if it breaks off.

`state` is the Online object. Retained commands may be stale, even those for a device that had our
serial before: the backend forgets to clear them. So they are checked against the agent's record
there.
"""

import time

from micropython import const

from flyve import BUILD, VERSION, log, memory, online, transport

_FRESH_S = const(3600)
_KEEP_S = const(172800)  # as clock.keep(), which is loaded for nothing else
_MANY = const(16)  # reports, before the oldest go
# Of a NetError: there is no way to the backend at all.
_AWAY = const(("dns", "connect", "clock", "network"))


def find(state):
    """The next job, the most urgent first."""
    for duty in _order(state):
        left = state.due(duty)
        if left is not None and left <= 0:
            state.duty = duty
            job = _job(state, duty)
            memory.drop("due")  # most jobs have no use for it
            return job


def _order(state):
    reports = state.agent.reports
    if reports and len(reports) >= _MANY:
        return online.DUTIES[:4] + (online.REPORTS,) + online.DUTIES[4:]
    return online.DUTIES


def _job(state, duty):
    agent = state.agent
    if duty == online.UPDATE:
        return _settle(state)
    if duty == online.APPS:
        return _app_failed(state)
    if duty == online.DOUBT:
        state.refusal = agent.link.reason
        from flyve.jobs import leaving

        return leaving.doubt(agent)
    if duty == online.GUARDED:
        return _verify(state, list(state.guarded)[0])
    if duty == online.POLICIES:
        from flyve.jobs import applying

        return applying.run(agent, state)
    if duty in (online.REPORTS, online.USER):
        from flyve.jobs import report

        return report.user(agent) if duty == online.USER else report.send(agent, agent.reports[0])
    from flyve.jobs import settled

    return (settled.answer if duty == online.ANSWERS else settled.missing)(agent, state)


def failed(state, failure):
    """A job broke off: it comes again later, or at once without the link beside it. Each duty
    waits for itself, and each policy, but for the backend as a whole."""
    agent, link = state.agent, state.agent.link
    was_alone, state.alone = state.alone, False
    entry, state.entry = state.entry, None
    if _no_memory(failure) and link.up and not was_alone:
        if entry:
            state.inbox.back(entry, True)
        log.info("online", "the link makes room")
        link.close()
        state.alone = True
        return
    kind = getattr(failure, "kind", None)
    net = kind or hasattr(failure, "status")
    away = net and (agent.session is None or kind in _AWAY)
    if away and state.duty in online.OVER_REST:
        state.away = True
        log.info("online", "next try in %d ms", state.retry.failed(failure))
    if entry:  # not the task's own failure but trouble on the way
        delay = state.inbox.failed(entry, failure)
        log.info("online", "next try of task %s in %d ms", entry[2], delay)
        return
    if state.duty is None or away and state.duty in online.OVER_REST:
        return
    reports = agent.reports
    if state.duty == online.REPORTS and reports:
        _behind(reports)
    log.info("online", "next try in %d ms", state.wait(state.duty).failed(failure))


def _behind(reports):
    """Puts the report that failed behind the others, unless a newer one has made it needless."""
    first = reports.pop(0)
    for other in reports:
        if other[0] == first[0] and (first[0] != "task" or other[1] == first[1]):
            return
    reports.append(first)


def _no_memory(e):
    if isinstance(e, MemoryError) or getattr(e, "kind", None) == "memory":
        return True
    return isinstance(e, OSError) and e.errno in [12, 105]


def greet(agent):
    """What follows on a new connection."""
    agent.tell("online")
    agent.refusals = 0
    agent.spent.pop("doubt_s", None)
    agent.rec.save(doubt_s=None)
    if transport.proven > transport.floor + _KEEP_S:
        from flyve.jobs import clock

        clock.keep(agent.rec)
        clock = None
        memory.drop("clock")
    if agent.rec.get("generation") == "A":
        # It takes digits and dots only, where Android sends JSON.
        version = ""
        for c in agent.settings["version"] or VERSION:
            if c.isdigit() or c == ".":
                version += c
            elif version:
                break
        agent.link.say(agent.link.topic + "/FlyvemdmManifest/Status/Version", version)
    memory.drop("due")


def _settle(state):
    from flyve.jobs import policies

    yield from policies.settle(state.agent)
    state.update = False


def _app_failed(state):
    from flyve.jobs import policies

    yield from policies.app_failed(state.agent, *state.failed[0])
    state.failed.pop(0)


def _verify(state, name):
    agent = state.agent
    entry = state.guarded[name]
    message, since = entry
    if name == "lock":
        unlock = str(message.get("lock")).lower() == "unlock"
        if unlock != bool(agent.rec.get("lock")):
            del state.guarded[name]  # it is so already
            return
    yield
    obey = _obeyed(state, name, message, since)
    if not obey:
        log.warn("commands", "retained %s is stale: ignored", name)
    if obey and state.guarded.get(name) is entry:
        memory.drop("rest")
        from flyve.jobs import commands

        yield from commands.run(agent, name, message, False)
    # Not before: what breaks off is tried again.
    if state.guarded.get(name) is entry:
        del state.guarded[name]


def _fresh(state):
    """Whether the agent may have been enrolled less than an hour ago."""
    since = state.agent.rec.get("since") or 0
    # A stamp from before this firmware may come from a clock that was not set.
    if transport.sure and since >= BUILD and time.time() - since >= _FRESH_S:
        return False
    return log.uptime() - state.begun < _FRESH_S * 1000


def _obeyed(state, name, message, since):
    """Whether the retained command is to be obeyed. since: uptime in ms when it came. Raises
    NetError and RestError while that cannot be known."""
    agent = state.agent
    from flyve.jobs import rest

    try:
        item = "PluginFlyvemdmAgent/" + agent.rec.get("agent_id")
        found = rest.resume(agent).pick("GET", item, ["id", "wipe", "lock", "enroll_status"])
        if found.get("id") is None:
            raise rest.RestError(200, "NOT_GLPI", "the answer is not GLPI's")
        if name == "unenroll":
            return found.get("enroll_status") == "unenrolling"
        on = str(found.get(name) or 0) != "0"
        return on != (name == "lock" and str(message.get("lock")).lower() == "unlock")
    except (OSError, rest.RestError) as e:
        if rest.is_gone(e):
            return name == "unenroll"
        after = agent.settings["wipe_unverified_after"]
        if name == "wipe" and after and not _fresh(state) and log.uptime() - since > after * 1000:
            return True
        raise
