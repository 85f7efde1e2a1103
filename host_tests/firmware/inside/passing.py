# Inside MicroPython, on a virtual board: time passes without waiting.

import time

from flyve import log


def passed(days):
    """The board's ticks and clock move on by so many days, while the loop looks at its uptime."""
    until = log.uptime() + days * 86400000
    while log.uptime() < until:
        time.pass_on(1 << 60)
