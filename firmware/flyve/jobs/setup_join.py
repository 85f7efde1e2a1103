"""What follows when the page was sent: the network is joined, what was sent is made durable.

All that is known between two steps is plain data in the box, so that this module and wifi_try.py
make room for a page that a phone asks for meanwhile.
"""

from micropython import const

from flyve import log, memory
from flyve.jobs import wifi_try

_TRIES = const(2)  # one may fail by chance, but for a wrong passphrase
_LEAVE_MS = const(3000)  # for the network before
_REST_MS = const(1000)  # the driver wants a pause after a failure


def step(station, box):
    """Goes on with the plan in the box, never waits; True when it is at its end: `shows` tells
    which."""
    join = box["join"] = box["join"] or _begin(station, box)
    if station.isconnected():
        if log.uptime() < join["leave"]:
            return False  # still in the one before
        _keep(box)
        return True
    join["leave"] = 0
    ssid, psk, _ = box["plan"]
    why = _failure(station, join, ssid, psk)
    if not why:
        return False
    log.warn("wifi", "%s: %s", ssid, why)
    _leave(station)
    join["try"] = None
    join["rest"] = log.uptime() + _REST_MS
    join["failures"] += 1
    if join["failures"] < _TRIES and why[:6] != "wrong ":
        return False
    _failed(box, "%s: %s." % (ssid, why))
    return True


def _begin(station, box):
    """leave: until when the network before may still be there, ms of uptime; rest: when the next
    try may begin; try: wifi_try.py's."""
    leave = 0
    if not _is_in(station, box):
        _leave(station)
        leave = log.uptime() + _LEAVE_MS
    log.secret("psk", box["plan"][1])
    return {"leave": leave, "rest": 0, "try": None, "failures": 0}


def _is_in(station, box):
    """True when the board is in that network already, by that passphrase."""
    ssid, psk, _ = box["plan"]
    try:
        there = station.isconnected() and station.config("ssid") == ssid
    except (OSError, ValueError):
        return False
    return there and (ssid, psk) in box["known"]


def _leave(station):
    try:
        station.disconnect()
    except OSError:
        pass


def _failure(station, join, ssid, psk):
    """Why the try at hand has failed; None while there is hope."""
    try:
        if join["try"]:
            return wifi_try.failure(station, join["try"])
        if log.uptime() >= join["rest"]:
            join["try"] = wifi_try.begin(station, ssid, psk)
    except OSError as e:
        return "no connection (%s)" % log.reason(e)


def _keep(box):
    try:
        from flyve.jobs import setup_store

        setup_store.store(*box["plan"] + (box["link"], box["known"]))
    except (OSError, ValueError, MemoryError) as e:
        _failed(box, "The board cannot keep this: %s." % log.reason(e))
        return
    finally:
        setup_store = None
        memory.drop("setup_store")
    log.info("setup", "joined %s: after a restart it enrolls", box["plan"][0])
    box["shows"], box["why"], box["todo"] = "joined", "", ""


def _failed(box, why):
    box["plan"] = box["join"] = None
    box["shows"], box["why"], box["todo"] = "failed", why, "Correct it, and send it again."
