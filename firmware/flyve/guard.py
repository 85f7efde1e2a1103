"""Retained commands may be stale, even those for a device that had our serial before: the backend
forgets to clear them. So they are checked against the agent's record there."""

import time

from micropython import const

from flyve import log, rest, transport

_FRESH_S = const(3600)


def check(agent, name, message, since):
    """A job that returns True when the retained command is to be obeyed. since: uptime in ms when
    it came. Raises NetError and RestError while that cannot be known."""
    api = rest.resume(agent)
    yield
    try:
        found = api.pick(
            "GET",
            "PluginFlyvemdmAgent/" + agent.rec.get("agent_id"),
            ("wipe", "lock", "enroll_status"),
        )
        obey = _agrees(name, message, found)
    except (transport.NetError, rest.RestError) as e:
        if rest.is_gone(e):
            obey = name == "unenroll"
        elif name == "wipe" and _overdue(agent, since):
            obey = True
        else:
            raise
    if not obey:
        log.warn("commands", "retained %s is stale: ignored", name)
    return obey


def _agrees(name, message, found):
    if name == "unenroll":
        return found.get("enroll_status") == "unenrolling"
    on = str(found.get(name) or 0) != "0"
    return on != (name == "lock" and str(message.get("lock")).lower() == "unlock")


def _overdue(agent, since):
    after = agent.settings["wipe_unverified_after"]
    if not after or time.time() - agent.rec.get("since", 0) < _FRESH_S:
        return False
    return log.uptime() - since > after * 1000
