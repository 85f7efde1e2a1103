"""The board's own network: its name, its passphrase, how it is opened."""

import os

from micropython import const

from flyve import board, log
from flyve.jobs import nvs

ADDRESS = "192.168.4.1"  # ESP-IDF's own; its DHCP names it as router and DNS server, too
_KEY = const("setup_psk")
_LENGTH = const(10)
# Nothing that looks like another one: 31 of them, so 49 bits.
_ALPHABET = const("abcdefghjkmnpqrstuvwxyz23456789")
_PHONES = const(4)
_WPA2 = const(3)


def name():
    """The network's name, by which one tells this board from the next."""
    from flyve.jobs import board_facts

    return "Flyve-" + board_facts.mac()[-4:]


def passphrase():
    """The passphrase; what the tools have not made is made now, and told once. Raises OSError."""
    found = nvs.get(_KEY) or b""
    if 8 <= len(found) <= 63 and min(found) > 0x20 and max(found) < 0x7F:
        return found.decode()
    made = ""
    while len(made) < _LENGTH:
        for c in os.urandom(_LENGTH):
            # What is above would make the first letters likelier.
            if c < 248:
                made += _ALPHABET[c % 31]
    made = made[:_LENGTH]
    nvs.put(_KEY, made.encode())
    log.info("setup", "network %s passphrase %s", name(), made)
    return made


def begin():
    """Opens the network; returns its interface, which active(False) closes. Raises OSError,
    RuntimeError and ValueError."""
    key = passphrase()
    network = board.network
    wlan = network.WLAN(network.AP_IF)
    # A driver that has not begun takes no settings: for some ms a network without a key is in the
    # air, in which nobody listens.
    wlan.active(True)
    try:
        wlan.config(ssid=name(), security=_WPA2, key=key, max_clients=_PHONES)
    except BaseException:
        wlan.active(False)
        raise
    log.secret("setup", key)
    return wlan
