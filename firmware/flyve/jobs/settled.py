"""What is known of tasks that were dealt with, against what the broker brings and GLPI says."""

from micropython import const

from flyve.jobs import known, tasks

_ROOM = const(24)  # messages in the outbox: the others are for what is new
_WAIT_MS = const(20)
_WAITS = const(250)  # of these, for a slow broker, until others get their turn


def _each(online, wanted):
    """Yields the tasks in the file whose message is in the wanted state, and its key; None after
    some, for the work of others."""
    place = 0
    while place is not None:
        found, place = tasks.some(place)
        for task in found:
            key = known.number(online, task)
            if known.state(online, key) == wanted:
                yield task, key
        yield None


def answer(online, many):
    """A job: tells the statuses of the tasks whose messages the broker has brought again. They
    are not durable, for the next connection asks for them again. many: reports over REST, with
    which others get their turn."""
    box = online.box
    waits = told = 0
    since = box["heard"]
    for found in _each(online, known.HEARD):
        if found is None:
            yield
            continue
        while len(online.link.outbox) >= _ROOM:
            waits += 1
            if waits > _WAITS or not online.link.up:
                return
            yield _WAIT_MS
        if online.reports and len(online.reports) >= many:
            return
        task, key = found
        if known.state(online, key) == known.HEARD:
            known.turn(online, key, known.DEALT)
            told += 1
            from flyve.jobs import policies

            yield from policies.tell(online, task["id"], task["status"])
    if not told and since == box["heard"]:
        known.turn_all(box, known.HEARD, known.DEALT)  # the file does not have them any more
