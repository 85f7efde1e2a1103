"""What was set up, made durable.

The invitation comes last: a power cut before it leaves a board that is still in set-up and knows
one network more, a cut after it one that enrolls.
"""

import json

from micropython import const

from flyve.jobs import nvs, texts

_BLOB = const(4096)  # bytes of all networks that nvs.get() reads
_SETTINGS = const("/config.json")  # as config.py has it, which takes too much memory
_LIMIT = const(4096)
_DEEPLINK = const("/deeplink")


def _networks(ssid, psk, known):
    made = [(ssid, psk)] + [one for one in known if one[0] != ssid]
    while True:
        blob = json.dumps(made).encode()
        if len(blob) <= _BLOB:
            return blob
        made.pop()  # the oldest


def _email(value):
    """Puts the address into the settings, whose other values stay as they are."""
    values = {}
    try:
        values = texts.loads(texts.read(_SETTINGS, _LIMIT))
    except (OSError, ValueError):
        pass  # there are none, or none that can be used
    if not isinstance(values, dict):
        values = {}
    if values.get("email") == value:
        return
    values["email"] = value
    data = json.dumps(values)
    if len(data.encode()) > _LIMIT:
        raise ValueError("the settings are full")
    with open(_SETTINGS, "w") as f:
        f.write(data)


def store(ssid, psk, email, link, known):
    """Writes what was sent; "" and None: that is as it was. known: the networks that were set.
    Raises OSError and ValueError."""
    blob = _networks(ssid, psk, known)
    if nvs.get("wifi") != blob:
        nvs.put("wifi", blob)
    if nvs.get_int("net"):
        nvs.put_int("net", 0)
    if email:
        _email(email)
    if link:
        with open(_DEEPLINK, "wb") as f:
            f.write(link)
