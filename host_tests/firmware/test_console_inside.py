"""What the console tells who asks for the agent's state."""

from flyve import log
from flyve.jobs import console

BOARD = True


class Wifi:
    up = True

    def address(self):
        return "10.0.0.7", "255.255.255.0"


class Link:
    up = False
    reason = None
    since = 0


class Online:
    link = Link()


class Agent:
    wifi = online = None
    rec = {}


def told(state=None, wifi=None, link=None):
    agent = Agent()
    agent.rec = {"state": state} if state else {}
    agent.wifi = wifi
    if link:
        agent.online = Online()
        agent.online.link = link
    lines = []
    sink, log.sink = log.sink, lines.append
    log._uptime = 90_000
    try:
        console._tell(agent)
    finally:
        log.sink = sink
    (line,) = lines
    return line.split("console: ")[1]


def link(up, reason=None):
    made = Link()
    made.up, made.reason, made.since = up, reason, 60_000
    return made


def test_the_line_tells_where_the_board_is_and_since_when():
    log.last_error = None
    off = Wifi()
    off.up = False
    for wifi in (None, off):
        assert told(None, wifi) == "blank; no Wi-Fi; up 90 s; last trouble: none"
    assert told("invited", Wifi()) == "invited; 10.0.0.7; up 90 s; last trouble: none"
    assert told("enrolled", Wifi(), link(True)) == (
        "enrolled; 10.0.0.7, online for 30 s; up 90 s; last trouble: none"
    )
    assert "10.0.0.7, offline: connecting;" in told("enrolled", Wifi(), link(False))
    assert "10.0.0.7, offline: no room;" in told("enrolled", Wifi(), link(False, "no room"))


def test_the_newest_trouble_is_told():
    log.last_error = "wifi: not found"
    try:
        assert told().endswith("; last trouble: wifi: not found")
    finally:
        log.last_error = None
