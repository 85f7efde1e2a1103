"""The networks in the air, as the set-up page lists them."""

from micropython import const

from flyve import log
from flyve.jobs import texts

_NETWORKS = const(16)
_WEAKEST = const((-85, -75, -65, -55))  # dBm, of one bar and more


def _heard(station):
    try:
        return station.scan()
    except OSError as e:
        log.warn("setup", "the air cannot be scanned: %s", e)
        return ()


def scan(station):
    """(name, bars, whether it has a passphrase) of each, the strongest first; those alone whose
    names can be shown. It takes the driver some 2 s."""
    heard = _heard(station)
    if not heard and not station.isconnected():
        # It was perhaps at a try to join, which it will make again.
        try:
            station.disconnect()
        except OSError:
            pass
        heard = _heard(station)
    networks = []
    for one in sorted(heard, key=lambda one: -one[3]):
        try:
            name = one[0].decode()
        except UnicodeError:
            continue
        if name and texts.plain(name) == name and name not in [n[0] for n in networks]:
            # Somebody may have one without a lock by the same name.
            locked = any(other[4] != 0 for other in heard if other[0] == one[0])
            networks.append((name, sum([one[3] >= dbm for dbm in _WEAKEST]), locked))
    return networks[:_NETWORKS]
