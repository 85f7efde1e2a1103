"""After an exception that no part of the loop expects: that part is begun anew.

At once the first time, for what comes once is soon forgotten; later and later while it comes
again, so that a fault of every turn neither spins nor floods the log.
"""

from micropython import const

from flyve import log, memory, transport
from flyve.backoff import Retry
from flyve.mqtt import LinkError

_WELL_MS = const(600000)  # without a fault: it is healed


def mend(agent, e):
    """Gives up what agent.part has at hand, or all of it if it was ill before; notes in agent.ill
    for how long it is to be left alone."""
    part = agent.part
    ill = agent.ill.get(part)
    again = ill is not None and ill.left() > -_WELL_MS
    if again:
        delay = ill.failed()
    else:
        delay = 0
        agent.ill[part] = Retry()
    log.error("agent", "%s: %r: it begins anew in %d ms", part, e, delay)
    if part in ["wait", "board", "update", "button", "console"]:
        return
    if part == "apps":
        _stop(agent)
    elif part == "wifi":
        agent.wifi = None
    elif part == "clock":
        agent.asking = None
    elif part == "job" or not again:
        _give_up(agent, part, e)
    else:
        _rebuild(agent, e)


def blank(agent):
    """Back to blank, without the backend; returns only when that fails, with the exception."""
    transport.watch = None  # what is left to be done must not be broken off
    agent.part = "button"
    agent.job = None
    if agent.online:
        agent.online.idle()
    memory.drop()
    try:
        from flyve.jobs import invitation

        invitation.discard()
        from flyve.jobs import leaving

        leaving.end(agent)
        agent.restart("reset by its button", True)
    except Exception as e:
        return e


def _stop(agent):
    apps, agent.apps = agent.apps, None
    agent.refresh = True
    if apps:
        apps.end()


def _give_up(agent, part, e):
    """The job or the command at hand, or the connection."""
    if part == "link":
        agent.link.drop(LinkError(repr(e)))
        return
    agent.job = None
    memory.drop()
    if agent.online:
        agent.online.idle()


def _rebuild(agent, e):
    """The link with all that knows it; what is retained or durable comes again."""
    link, agent.link = agent.link, None
    agent.online = agent.job = None
    memory.drop()
    if link:
        link.drop(LinkError(repr(e)))
