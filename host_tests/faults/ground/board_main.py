"""main.py of boards whose time runs fast or that hang on purpose: the agent itself is as it is."""

_FAST = """\
# Time runs {speed} times as fast, the watchdog's {dog} times.
import machine
import time


def _fast():
    ticks, sleep, start = time.ticks_ms, time.sleep_ms, time.ticks_ms()
    period = 1 << 30
    time.ticks_ms = lambda: (start + time.ticks_diff(ticks(), start) * {speed}) % period
    time.sleep_ms = lambda ms: sleep(max(1, ms // {speed}))
    own = machine.WDT

    class WDT(own):
        def __init__(self, id=0, timeout=5000):
            super().__init__(id, timeout // {dog})

    machine.WDT = WDT


_fast()
from flyve.agent import main

main()
"""


def fast(speed: int, dog: int) -> str:
    """The agent's deadlines and pauses pass `speed` times as fast, the watchdog's `dog` times."""
    return _FAST.format(speed=speed, dog=dog)
