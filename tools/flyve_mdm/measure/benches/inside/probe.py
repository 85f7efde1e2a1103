# On the flash of a board that is measured, beside the real agent: reports the heap once the
# agent is online and idle, and makes it reconnect. The host reads the lines with `bench:`.

import gc
import sys
import time

from micropython import const

_PAUSE_MS = const(300)  # the host counts the board's sockets meanwhile
_REPORTS = const(10)


def install(rounds):
    """Before the agent starts. What it allocates from here on counts, this module does not;
    rounds: how often it is to reconnect before the second report."""
    gc.collect()
    base = gc.mem_alloc()
    from flyve.agent import Agent

    step, pump = Agent.step, Agent.pump
    left = rounds
    since = None  # when the newest idle report was
    idle = True  # to be reported, or just reported

    def report(what):
        gc.collect()
        print("bench: %s %d" % (what, gc.mem_alloc() - base))

    def measured_step(self):
        nonlocal idle, since
        step(self)
        link = self.online and self.online.link
        # Without a birth that is still to be repeated.
        if idle and link and link.up and not link._again and self.job is None:
            if since is None:
                report("idle")
                print("bench: modules", " ".join(sorted(sys.modules)))
                since = time.ticks_ms()
            elif left and time.ticks_diff(time.ticks_ms(), since) > _PAUSE_MS:
                idle = False
                since = None

    def measured_pump(self):
        nonlocal idle, left
        pump(self)
        link = self.online and self.online.link
        if idle or not link.up:
            return
        if left:
            left -= 1
            link.drop(sys.modules["flyve.transport"].NetError("mqtt", "the bench wants it"))
            link.retry.now()  # so young a connection would wait
        if left % max(1, rounds // _REPORTS) == 0:
            report("between")
        idle = not left

    Agent.step, Agent.pump = measured_step, measured_pump
