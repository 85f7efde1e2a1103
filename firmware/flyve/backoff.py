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


class Backoff:
    """Exponential, with jitter. spread: ms over which a fleet's first tries are spread;
    uniform(a, b) gives a random integer of a..b. All times in ms."""

    def __init__(self, spread, uniform):
        self._spread = spread
        self._uniform = uniform
        self._last = 0

    def first(self, broker):
        """The delay after a connection was lost; broker: the broker closed or refused it (so it
        did to the whole fleet), False: our own network was away."""
        # After a fleet's first tries come its second ones: as thinly spread.
        self._last = self._spread * 2 // 3 if broker else _BASE
        return self._uniform(0, self._spread if broker else _OURS)

    def next(self):
        """The delay after one more failed try."""
        last = max(_BASE, self._last)
        self._last = min(CAP, self._uniform(min(last, CAP // 3), last * 3))
        return self._last

    def reset(self):
        """After success: the next trouble starts from the beginning."""
        self._last = 0


class Retry:
    """When something is due again: now at first, later after each failure. By the uptime, for
    nobody may look for longer than ticks take to wrap."""

    def __init__(self):
        self._at = log.uptime()
        self._backoff = Backoff(0, uniform)

    def left(self):
        """Milliseconds until it is due; 0 or less: now."""
        return self._at - log.uptime()

    def now(self):
        """It is due now, and the next failure goes on from the last: what was in its way is
        gone."""
        self._at = log.uptime()

    def after(self, ms):
        """It is due in ms milliseconds, whatever was before."""
        self._at = log.uptime() + ms
        self._backoff.reset()

    def reset(self):
        """The next failure is the first of a new matter."""
        self._backoff.reset()

    def failed(self, failure=None):
        """It failed: due later; returns the delay in ms. failure: the exception, by which the
        server may have asked to wait longer (`after`, in ms)."""
        delay = self._backoff.next()
        after = getattr(failure, "after", 0)
        if delay < after:
            # Not all whom it has asked shall come back in the same second.
            delay = min(CAP, after + uniform(0, after // 8))
        self._at = log.uptime() + delay
        return delay
