"""The jobs of an enrolled agent besides its commands: which is due, and what if it breaks off.

`state` is the Online object. Retained commands may be stale, even those for a device that had our
serial before: the backend forgets to clear them. So they are checked against the agent's record
there.
"""

import time

from micropython import const

from flyve import BUILD, VERSION, log, resident, transport

_DUTIES = const(7)
_FRESH_S = const(3600)
_KEEP_S = const(172800)  # as clock.keep(), which is loaded for nothing else


def find(state):
    """The next job; after one that failed the search begins behind it, so that none starves."""
    for _ in range(_DUTIES):
        job = _due(state, state.duty)
        if job:
            resident.drop("duties")  # most jobs have no use for it
            return job
        state.duty = (state.duty + 1) % _DUTIES


def _due(state, duty):
    agent = state.agent
    link = agent.link
    if duty == 0:
        if state.update and link.up:
            return _settle(state)
    elif duty == 1:
        if state.failed and link.up:
            return _app_failed(state)
    elif duty == 2:
        if link.down and getattr(link.reason, "code", 0) in [4, 5]:
            if link.reason is not state.refusal:
                state.refusal = link.reason
                return agent.load("leaving", "doubt")
    elif not link.up and not state.alone:
        pass  # no way to the backend's REST API
    elif duty == 3:
        if state.guarded:
            return _verify(state, list(state.guarded)[0])
    elif duty == 4:
        if state.inbox.policies:
            return agent.load("applying", "run", state)
    elif duty == 5:
        if agent.reports:
            return agent.load("report", "send", agent.reports[0])
    elif agent.user:
        return agent.load("report", "user")


def failed(state, failure):
    """A job broke off: it comes again later, or at once without the link beside it."""
    link = state.agent.link
    was_alone, state.alone = state.alone, False
    state.duty = (state.duty + 1) % _DUTIES
    if state.entry and state.entry not in state.inbox.policies:
        # Not the task's own failure but trouble on the way.
        state.inbox.policies.append(state.entry)
    if _no_memory(failure) and link.up and not was_alone:
        log.info("online", "the link makes room")
        link.close()
        state.alone = True
    else:
        log.info("online", "next try in %d ms", state.retry.failed(failure))


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
        resident.load("clock").keep(agent.rec)
        resident.drop("clock")
    if agent.rec.get("generation") == "A":
        # It takes digits and dots only, where Android sends JSON.
        version = ""
        for c in agent.settings["version"] or VERSION:
            if c.isdigit() or c == ".":
                version += c
            elif version:
                break
        agent.link.say(agent.link.topic + "/FlyvemdmManifest/Status/Version", version)
    resident.drop("duties")


def _settle(state):
    yield from state.agent.load("policies", "settle")
    state.update = False


def _app_failed(state):
    yield from state.agent.load("policies", "app_failed", *state.failed[0])
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
        resident.drop("rest")
        yield from resident.load("commands").run(agent, name, message, False)
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
    rest = resident.load("rest")
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
