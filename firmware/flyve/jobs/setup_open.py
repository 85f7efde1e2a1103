"""How the set-up page is opened: what it tells, the board's own network, its two servers."""

from flyve import log, memory


def begin(agent, station, answer):
    """(what the page tells, the network's interface, the servers of DNS and of HTTP). Raises what
    the driver raises; nothing is open then."""
    from flyve.jobs import setup_facts

    box = setup_facts.facts(agent)
    setup_facts = None
    memory.drop("setup_facts", "connecting")
    from flyve.jobs import wifi_scan

    box["networks"] = wifi_scan.scan(station)
    wifi_scan = None
    memory.drop("wifi_scan")
    from flyve.jobs import access_point

    wlan = access_point.begin()
    http = None
    try:
        from flyve.jobs import captive_dns, http_server

        http = http_server.Server(answer, access_point.ADDRESS)
        dns = captive_dns.Server(access_point.ADDRESS, http.buf)
    except BaseException:
        if http:
            http.close()
        wlan.active(False)
        raise
    log.info("setup", "network %s is open", box["network"])
    return box, wlan, dns, http
