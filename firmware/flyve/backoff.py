"""How long to wait before connecting again, so that a fleet does not come back all at once."""

import random

from micropython import const

from flyve import log

_BASE = const(1000)  # ms
CAP = const(900000)  # ms: a try each 15 minutes at the least
_OURS = const(2000)  # ms: at most, when only our own network was away


def uniform(a, b):
    """A random integer of a..b."""
    return a + random.getrandbits(30) % (b - a + 1)


class Retry:
    """When something is due again: now at first, later after each failure, exponentially and with
    jitter. By the uptime, for nobody may look for longer than ticks take to wrap. spread: ms over
    which a fleet's first tries are spread. All times in ms."""

    _last = 0

    def __init__(self, spread=0):
        self._spread = spread
        self.now()

    def now(self):
        """It is due now, and the next failure goes on from the last: what was in its way is
        gone."""
        self._at = log.uptime()

    def left(self):
        """Milliseconds until it is due; 0 or less: now."""
        return self._at - log.uptime()

    def after(self, ms):
        """It is due in ms milliseconds, whatever was before."""
        self._at = log.uptime() + ms
        self.reset()

    def reset(self):
        """The next failure is the first of a new matter."""
        self._last = 0

    def lost(self, broker):
        """A connection was lost: due later; returns the delay. broker: the broker closed or
        refused it (so it did to the whole fleet), False: our own network was away."""
        # After a fleet's first tries come its second ones: as thinly spread.
        self._last = self._spread * 2 // 3 if broker else _BASE
        delay = uniform(0, self._spread if broker else _OURS)
        self._at = log.uptime() + delay
        return delay

    def failed(self, failure=None):
        """It failed once more: due later; returns the delay. failure: the exception, by which the
        server may have asked to wait longer (`after`, in ms)."""
        last = max(_BASE, self._last)
        delay = self._last = min(CAP, uniform(min(last, CAP // 3), last * 3))
        after = getattr(failure, "after", 0)
        if delay < after:
            # Not all whom it has asked shall come back in the same second.
            delay = min(CAP, after + uniform(0, after // 8))
        self._at = log.uptime() + delay
        return delay
