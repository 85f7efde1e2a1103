"""The outbox's file, as a former life has left it: [owner, [[topic, payload, retain], ...]], or
nothing at all. outbox.py writes it."""

import json

from micropython import const

from flyve import log
from flyve.jobs import texts

_LARGEST = const(8192)  # bytes


def load(path, owner, most, queue):
    """Appends the messages of that owner to the queue, see outbox.py; not all of them when the
    file is damaged, and then returns 1, else 0."""
    try:
        data = texts.read(path, _LARGEST)
        if len(data) > _LARGEST:
            raise ValueError("too long")
        whose, found = texts.loads(data)
        if whose == owner:
            for topic, payload, retain in found[:most]:
                row = json.dumps((topic + "", payload + "", bool(retain))).encode()
                # Nobody knows whether it was sent: so with DUP.
                sent = True
                queue.append([topic, payload.encode(), bool(retain), len(queue) + 1, sent, row, 0])
        return 0
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as e:
        log.error("outbox", "%s is damaged, its statuses are lost (%s)", path, e)
        return 1
