# On the flash of a board that is measured, beside the real agent: once it is online, a day passes
# in steps that are shorter than its keepalive. The host reads the lines with `day:`.

import time

from micropython import const

_DAY_MS = const(86460000)  # and the minute in which the clock is set again
_STEP_MS = const(20000)
_WAIT_MS = const(4)  # for what the broker has to say in that time
_QUIET_MS = const(2000)  # after the link came up


def hasten():
    """Before the agent starts."""
    from flyve.agent import Agent
    from flyve.link import Link

    ticks_ms, step, wait = time.ticks_ms, Agent.step, Link.wait
    begin = None
    ahead = 0

    def hasty_step(self):
        nonlocal ahead, begin
        step(self)
        up = self.online and self.online.link.up
        if ahead > _DAY_MS or not up or self.job is not None:
            return
        if begin is None:
            begin = ticks_ms()
        if time.ticks_diff(ticks_ms(), begin) > _QUIET_MS:
            if not ahead:
                print("day: begins")
            ahead += _STEP_MS
            if ahead > _DAY_MS:
                print("day: over")

    Agent.step = hasty_step
    Link.wait = lambda self, ms: wait(self, _WAIT_MS if 0 < ahead < _DAY_MS else ms)
    time.ticks_ms = lambda: time.ticks_add(ticks_ms(), ahead)
