"""What is typed on the console: a line end asks for the agent's state."""

import select
import sys

from micropython import const

from flyve import log

_KEYS = const(64)  # that are read at once


def hear(agent):
    """Reads what was typed and answers; False when there is no console."""
    poll = select.poll()
    poll.register(sys.stdin, select.POLLIN)
    asked = False
    for _ in range(_KEYS):
        key = None
        for _ in poll.ipoll(0):
            key = sys.stdin.buffer.read(1)
        if not key:
            if asked:
                _tell(agent)
            return key is None
        asked = asked or key in b"\r\n"
    if asked:
        _tell(agent)
    return True


def _tell(agent):
    """Logs one line for who is at the console: the state, since when it is online or why it is
    not, the newest trouble."""
    link = agent.online and agent.online.link
    wifi = agent.wifi
    if wifi is None or not wifi.up:
        where = "no Wi-Fi"
    elif link is None:
        where = wifi.address()[0]
    elif link.up:
        where = "%s, online for %d s" % (wifi.address()[0], (log.uptime() - link.since) // 1000)
    else:
        where = "%s, offline: %s" % (wifi.address()[0], link.reason or "connecting")
    text = "%s; %s; up %d s; last trouble: %s"
    state = agent.rec.get("state") or "blank"
    log.info("console", text, state, where, log.uptime() // 1000, log.last_error or "none")
