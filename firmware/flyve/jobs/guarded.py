"""Retained commands that may be stale: lock, unenroll and wipe."""

import time

from micropython import const

from flyve import BUILD, log, memory, transport

_FRESH_S = const(3600)


def verify(online, name):
    """A job: carries out the retained command of that name in `guarded`, or forgets it: it may be
    stale, even one for a device that had our serial before, for the backend forgets to clear
    them. So it is checked against the agent's record there. Raises NetError while that cannot
    be done."""
    guarded = online.box["guarded"]
    entry = guarded[name]
    message, since = entry
    if name == "lock":
        unlock = str(message.get("lock")).lower() == "unlock"
        if unlock != bool(online.rec.get("lock")):
            del guarded[name]  # it is so already
            return
    yield
    obey = _obeyed(online, name, message, since)
    if not obey:
        log.warn("commands", "retained %s is stale: ignored", name)
    if obey and guarded.get(name) is entry:
        memory.drop("glpi", "rest")
        yield from _carry_out(online, name, message, False)
    # Not before: what breaks off is tried again.
    if guarded.get(name) is entry:
        del guarded[name]


# In a frame of its own: what a frame names stays in memory as long as that.
def _carry_out(*what):
    from flyve.jobs import commands

    return commands.carry_out(*what)


def _fresh(online):
    """Whether the agent may have been enrolled less than an hour ago."""
    since = online.rec.get("since") or 0
    # A stamp from before this firmware may come from a clock that was not set.
    if transport.clock["sure"] and since >= BUILD and time.time() - since >= _FRESH_S:
        return False
    return log.uptime() - online.box["made"] < _FRESH_S * 1000


def _asked(online):
    """What GLPI says of the agent."""
    from flyve.jobs import rest

    api = rest.resume(online)
    rest = None
    from flyve.jobs import glpi

    item = "PluginFlyvemdmAgent/" + online.rec.get("agent_id")
    return glpi.pick(api, "GET", item, ("id", "wipe", "lock", "enroll_status"))


def _obeyed(online, name, message, since):
    """Whether the retained command is to be obeyed. since: uptime in ms when it came."""
    try:
        found = _asked(online)
        if found.get("id") is None:
            from flyve.jobs import rest_error

            raise rest_error.RestError(200, "NOT_GLPI", "the answer is not GLPI's")
        if name == "unenroll":
            return found.get("enroll_status") == "unenrolling"
        on = str(found.get(name) or 0) != "0"
        return on != (name == "lock" and str(message.get("lock")).lower() == "unlock")
    except OSError as e:
        if isinstance(e, transport.NetError):
            from flyve.jobs import rest_error

            if rest_error.is_gone(e):
                return name == "unenroll"
        after = online.settings.get("wipe_unverified_after")
        late = after and log.uptime() - since > after * 1000
        if name == "wipe" and late and not _fresh(online):
            return True
        raise
