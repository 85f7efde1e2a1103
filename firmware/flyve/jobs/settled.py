"""What is known of tasks that were dealt with, against what the broker brings and GLPI says."""

from micropython import const

from flyve import inbox, log, memory
from flyve.jobs import tasks

_ID = const(0)  # in a task, see tasks.py
_STATUS = const(4)

_ROOM = const(24)  # messages in the outbox: the others are for what is new
_REPORTS = const(16)
_WAIT_MS = const(20)
_WAITS = const(250)  # of these, for a slow broker, until others get their turn


def _each(state, wanted):
    """Yields the tasks in the file whose message is in the wanted state, and their places; None
    after some, for the work of others."""
    known = state.inbox.known
    place = 0
    while place is not None:
        found, place = tasks.some(place)
        for task in found:
            number = inbox.key(task[2] == "fleet", task[1], task[0], task[3])
            at = known.find(number)
            if at >= 0 and known.states[at] == wanted:
                yield task, number
        yield None


def answer(agent, state):
    """A job: tells the statuses of the tasks whose messages the broker has brought again. They
    are not durable, for the next connection asks for them again."""
    known = state.inbox.known
    waits = told = 0
    since = state.inbox.heard
    for found in _each(state, inbox.HEARD):
        if found is None:
            yield
            continue
        while len(agent.link.outbox) >= _ROOM:
            waits += 1
            if waits > _WAITS or not agent.link.up:
                return
            yield _WAIT_MS
        if agent.reports and len(agent.reports) >= _REPORTS:
            return
        task, number = found
        at = known.find(number)
        if at >= 0 and known.states[at] == inbox.HEARD:
            known.states[at] = inbox.DEALT
            told += 1
            from flyve.jobs import policies

            yield from policies.tell(agent, task[_ID], task[_STATUS])
    if not told and since == state.inbox.heard:
        known.all(inbox.HEARD, inbox.DEALT)  # the file does not have them any more


def missing(agent, state):
    """A job: a policy may have been taken back while we were away: its message is gone. But a
    message that did not come is no proof, so the backend is asked. Raises NetError and RestError
    while that cannot be known."""
    known = state.inbox.known
    for found in _each(state, inbox.SILENT):
        yield
        if found is None:
            continue
        if state.busy():
            return
        task, number = found
        try:
            from flyve.jobs import report

            row = report.row(agent, task[_ID])
        except Exception as e:
            if not hasattr(e, "refused") or not e.refused():
                raise
            log.debug("policies", "what was taken back cannot be asked: %s", e)
            known.all(inbox.SILENT, inbox.DEALT)
            return
        finally:
            report = None
            memory.drop("report", "rest", "jsonpick")
        if row is None:
            from flyve.jobs import policies

            yield from policies.remove(agent, task)
            return  # the file has changed
        at = known.find(number)
        if at >= 0:
            known.states[at] = inbox.DEALT
    known.all(inbox.SILENT, inbox.DEALT)
