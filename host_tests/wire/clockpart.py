# Called by test_clock.py, inside MicroPython: flyve.clock against scripted NTP servers.

import time

import net

from flyve import chip, clock, transport
from flyve.backoff import Retry
from flyve.record import Record

_START = (2025, 1, 2, 3, 4, 5)


class Agent:
    """What the job needs of the agent."""

    def __init__(self, servers):
        self.settings = {"ntp": servers}
        self.rec = Record()
        self.clock, self.invited = Retry(), Retry()
        self.link = None


def sync(servers, floor=0):
    """Runs the job; how often it yielded, and how the clock stands after it."""
    net.start()
    chip.set_clock(_START)
    transport.floor = floor
    result = {"yields": 0}
    begin = time.ticks_ms()
    try:
        for _ in clock.sync(Agent(servers)):
            result["yields"] += 1
    except transport.NetError as e:
        result["kind"] = e.kind
        result["text"] = str(e)
    result["ms"] = time.ticks_diff(time.ticks_ms(), begin)
    result["now"] = time.time()
    result["set"] = time.gmtime()[:5] != _START[:5]
    result["lines"] = [line.split(" ", 1)[1] for line in net.lines]
    return result
