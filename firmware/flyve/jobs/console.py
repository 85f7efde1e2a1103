"""What the console is told when somebody asks for the state with a line end."""

from flyve import log


def tell(agent):
    """Logs one line: the state, since when it is online or why it is not, the newest trouble."""
    link = agent.link
    wifi = agent.wifi
    if wifi is None or not wifi.up:
        where = "no Wi-Fi"
    elif link is None:
        where = wifi.address()[0]
    elif link.up:
        where = "%s, online for %d s" % (wifi.address()[0], link.age() // 1000)
    else:
        where = "%s, offline: %s" % (wifi.address()[0], link.reason or "connecting")
    text = "%s; %s; up %d s; last trouble: %s"
    state = agent.rec.get("state") or "blank"
    log.info("console", text, state, where, log.uptime() // 1000, log.last_error or "none")
