"""After an exception that no part of the loop expects: that part is begun anew.

At once the first time, for what comes once is soon forgotten; later and later while it comes
again, so that a fault of every turn neither spins nor floods the log.
"""

from micropython import const

from flyve import log, memory, transport
from flyve.backoff import Retry
from flyve.jobs import texts

_WELL_MS = const(600000)  # without a fault: it is healed


def mend(agent, e):
    """Gives up what agent.part has at hand, or all of it if it was ill before; notes in agent.ill
    for how long it is to be left alone."""
    part = agent.part
    if agent.pressed:
        # What is left to do must not be broken off.
        transport.attend(agent.pump, None)
        agent.begin_anew("job")
        e = _blank(agent)
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
    online = agent.online
    if agent.settings.get("led") is not None and not (online and online.link.up):
        try:
            from flyve.jobs import led

            led.show("trouble")
        except MemoryError:
            pass  # only the LED is wrong
        finally:
            led = None
            memory.drop("led")
    if part in ["apps", "wifi", "clock", "job"]:
        agent.begin_anew(part)
    elif again:
        # The link with all that knows it; what is retained or durable comes again.
        agent.begin_anew("online")
        if online:
            online.link.drop(transport.NetError("mqtt", repr(e)))
    elif part == "link":
        online.link.drop(transport.NetError("mqtt", repr(e)))
    else:
        agent.begin_anew("job")


def _blank(agent):
    """Back to blank, without the backend; returns only when that fails, with the exception."""
    try:
        from flyve.jobs import erasing, invitation

        invitation.discard()
        erasing.end(agent)
        agent.restart("reset by its button", True)
    except Exception as e:
        erasing = invitation = None
        memory.drop("erasing", "invitation")
        return e


def note(rec, area, failure):
    """Logs a failed job's exception and keeps its text in the record."""
    why = log.reason(failure) if isinstance(failure, OSError) else repr(failure)
    log.warn(area, "%s", why)
    try:
        rec.save(error=texts.cut(log.redact(why), 160))
    except (OSError, MemoryError) as e:
        log.error("record", "%s", e)
