"""The outbox's file, as a former life has left it: [owner, [[topic, payload, retain], ...]], or
nothing at all. outbox.py writes it."""

from micropython import const

from flyve import log
from flyve.jobs import texts

_LARGEST = const(8192)  # bytes


def load(path, owner, most):
    """(messages, damaged): topic, payload and whether to retain it, of each of that owner; not
    all of them when the file is damaged."""
    made = []
    try:
        data = texts.read(path, _LARGEST)
        if len(data) > _LARGEST:
            raise ValueError("too long")
        whose, found = texts.loads(data)
        if whose == owner:
            for topic, payload, retain in found[:most]:
                made.append((topic + "", payload.encode(), bool(retain)))
        return made, False
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as e:
        log.error("outbox", "%s is damaged, its statuses are lost (%s)", path, e)
        return made, True
