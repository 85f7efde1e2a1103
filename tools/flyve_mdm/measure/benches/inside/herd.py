# A fleet in simulated time, on the firmware's own backoff.

import heapq
import random

from flyve.backoff import Retry


class Ours(Retry):
    """With all that it will know from the start: a table that grows later leaves a hole, and among
    a million of them each search for room would be long."""

    def __init__(self, spread):
        self._last = 0
        super().__init__(spread)


class Fixed:
    """The Android agent's way: 30 s after each failure."""

    def lost(self, broker):
        return 30000

    def failed(self):
        return 30000


def run(agents, spread, outage, rate, seed, fixed=False):
    """All lose the broker at 0 ms; it is away for outage ms, then accepts rate connections in
    each second (0: all). Returns [how many tried in each second, the moment of the last success
    in ms, the most that tried within any 1,000 ms]."""
    random.seed(seed)
    fleet = [Fixed() if fixed else Ours(spread) for _ in range(agents)]
    due = [(agent.lost(True), i) for i, agent in enumerate(fleet)]
    heapq.heapify(due)
    seconds = []
    window = []  # a ring of the attempts of the last 1,000 ms
    oldest = most = accepted = second = now = 0
    while due:
        now, i = heapq.heappop(due)
        while len(seconds) <= now // 1000:
            seconds.append(0)
        seconds[-1] += 1
        window.append(now)
        while window[oldest] <= now - 1000:
            oldest += 1
        most = max(most, len(window) - oldest)
        if oldest > 4096:
            window = window[oldest:]
            oldest = 0
        if now // 1000 != second:
            second = now // 1000
            accepted = 0
        if now < outage or rate and accepted >= rate:
            heapq.heappush(due, (now + fleet[i].failed(), i))
        else:
            accepted += 1
    return [seconds, now, most]
