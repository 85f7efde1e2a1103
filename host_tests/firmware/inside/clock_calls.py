# Called by test_clock.py: flyve.jobs.clock against scripted NTP servers.

import time

import transport_calls as net

from flyve import BUILD, transport
from flyve.backoff import Retry
from flyve.jobs import board_facts, clock, record_slots
from flyve.record import Record

_START = (2025, 1, 2, 3, 4, 5)


class Agent:
    """What the job needs of the agent."""

    def __init__(self, servers):
        self.settings = {"ntp": servers}
        self.rec = Record(*record_slots.load()[:3])
        self.clock, self.invited = Retry(), Retry()
        self.online = None


agent = None


def sync(servers, floor=BUILD):
    """Runs the job on a board that has just started; see again()."""
    global agent
    net.start()
    board_facts.set_clock(_START)
    transport.clock.update(sure=False, floor=floor)
    agent = Agent(servers)
    agent.rec.save(**dict.fromkeys(agent.rec.values))
    return again()


def again(servers=None):
    """Runs the job once more: how often it yielded, how the clock stands after it, and what it has
    remembered."""
    if servers:
        agent.settings["ntp"] = servers
    result = {"yields": 0}
    net.lines.clear()
    begin = time.ticks_ms()
    before = time.time()
    try:
        for _ in clock.sync(agent):
            result["yields"] += 1
    except transport.NetError as e:
        result["kind"] = e.kind
        result["text"] = str(e)
    result["ms"] = time.ticks_diff(time.ticks_ms(), begin)
    result["now"] = time.time()
    result["set"] = abs(time.time() - before) > 5
    result["sure"] = transport.clock["sure"]
    result["floor"] = transport.clock["floor"]
    result["kept"] = Record(*record_slots.load()[:3]).get("time")
    result["due"] = agent.clock.left() // 1000
    result["lines"] = [line.split(" ", 1)[1] for line in net.lines]
    return result


def build():
    """The firmware's build date."""
    return BUILD


def verified():
    """A connection at which a certificate was verified."""
    if transport.clock["sure"]:
        transport.clock["proven"] = time.time()
    clock.keep(agent.rec)
