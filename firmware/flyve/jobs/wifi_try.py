"""One try of the station to join one network: plain data between two looks at it.

The driver keeps the reason of its last failure until an address is there: neither connect() nor
disconnect() clears it. So a reason is the outcome of a try only if it is news in it, or still
stands after a time in which a sound access point would have let us in.
"""

from micropython import const

from flyve import board, log

_TRY_MS = const(20000)
_LATE_MS = const(1500)  # what is told so soon may be about the try before: a scan takes longer
_OLD_MS = const(6000)  # a reason from before is believed then, unless we are let in by then
# What the driver, or the access point, gives as the reason.
_REASONS = const((
    (2, "wrong passphrase, or a weak signal"),
    (5, "it takes no more devices"),
    (15, "wrong passphrase"),
    (200, "its signal was lost"),
    (201, "not found"),
    (202, "wrong passphrase"),
    (203, "it refuses this device: see its list of devices, or whether it is full"),
    (204, "wrong passphrase"),
    (205, "wrong passphrase"),
    (210, "it wants another security: was it provisioned without its passphrase, or has it WPA3?"),
    (211, "its security is weaker than wanted: is it an open network, or one with WEP?"),
    (212, "its signal is too weak"),
))  # fmt: skip


def begin(station, ssid, psk):
    """Returns the try: since when it is under way, in ms of uptime, the reason that was there at
    its beginning, and how old it was at the last look. Raises OSError when the driver does not
    begin."""
    log.info("wifi", "connecting to %s", ssid)
    if psk:
        station.connect(ssid, psk)
    else:
        station.connect(ssid)
    return [log.uptime(), None, 0]


def failure(station, tried):
    """Why the try has failed, a text; None while it is under way. Call it while the station is not
    connected, often: a page may keep one from it for some seconds."""
    since, old, looked = tried
    age = tried[2] = log.uptime() - since
    status = station.status()
    if age > _TRY_MS:
        return "no connection in %d s" % (_TRY_MS // 1000)
    network = board.network
    if status in (network.STAT_IDLE, network.STAT_CONNECTING, 1010):
        tried[1] = None  # cleared: the next reason is news
    elif looked < _LATE_MS:
        tried[1] = status
    elif status != old or age >= _OLD_MS and not _let_in(station):
        return _meaning(status)


def _let_in(station):
    """Only an address is wanting: the driver knows the signal of whom it is linked to."""
    try:
        return station.status("rssi") is not None
    except (OSError, ValueError):
        return False


def _meaning(status):
    for code, text in _REASONS:
        if code == status:
            return "%s (%d)" % (text, code)
    return "no connection (%s)" % status
