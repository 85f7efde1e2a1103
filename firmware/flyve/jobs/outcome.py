"""What follows when a job has ended: the next try of what broke off."""

from micropython import const

from flyve import log, transport
from flyve.backoff import Retry
from flyve.jobs import due

# Of a NetError: there is no way to the backend at all.
_AWAY = const(("dns", "connect", "clock", "network"))


def ended(online, failure):
    """A job has ended, with an exception or None: then it comes again later. Each duty waits for
    itself, and each policy, but for the backend as a whole. Returns True when what comes next
    needs the memory of the link, which is closed then."""
    box, notes = online.box, due.kept(online)
    duty, notes["duty"] = notes["duty"], None
    over_rest = duty is not None and due.DUE[duty] in due.OVER_REST
    notes["used"] = log.uptime()
    hand = box["hand"]
    if hand or notes["away"]:
        from flyve.jobs import waiting
    if not failure:
        notes["waits"].pop(duty, None)
        if hand:
            waiting.done(online)
        if notes["away"] and over_rest and "token" in online.session:
            notes["away"] = False
            notes["retry"].after(0)
            waiting.pardon(box)
        return False
    net = isinstance(failure, transport.NetError)
    if _no_memory(failure) and online.link.up and not online.alone:
        if hand:
            waiting.back(box, True)
        log.info("online", "the link makes room")
        online.link.close()
        return True
    away = net and over_rest and ("token" not in online.session or failure.kind in _AWAY)
    if away:
        notes["away"] = True
        log.info("online", "next try in %d ms", notes["retry"].failed(failure))
    if hand:  # not the task's own failure but trouble on the way
        delay = waiting.failed(box, failure.after if net else 0)
        log.info("online", "next try of task %s in %d ms", hand["id"], delay)
    elif duty is not None and not away:
        if due.DUE[duty] is due.report and online.reports:
            _behind(online.reports)
        wait = notes["waits"].setdefault(duty, Retry())
        log.info("online", "next try in %d ms", wait.failed(failure))
    return False


def _behind(reports):
    """Puts the report that failed behind the others, unless a newer one has made it needless."""
    kind, *facts = first = reports.pop(0)
    for other, *others in reports:
        if other == kind and (kind != "task" or others[:1] == facts[:1]):
            return
    reports.append(first)


def _no_memory(e):
    if isinstance(e, transport.NetError):
        return e.kind == "memory"
    return isinstance(e, MemoryError) or isinstance(e, OSError) and e.errno in [12, 105]
