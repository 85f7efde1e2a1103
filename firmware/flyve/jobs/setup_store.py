"""What was set up, made durable.

The invitation comes last: a power cut before it leaves a board that is still in set-up and knows
one network more, a cut after it one that enrolls.
"""

import json

from micropython import const

from flyve.jobs import config, invitation, nvs, texts, wifi_join

_BLOB = const(4096)  # bytes of all networks that nvs.get() reads


def _networks(ssid, psk):
    made = [(ssid, psk)] + [one for one in wifi_join.known() if one[0] != ssid]
    while True:
        blob = json.dumps(made).encode()
        if len(blob) <= _BLOB:
            return blob
        made.pop()  # the oldest


def _email(value):
    """Puts the address into the settings, whose other values stay as they are."""
    values = {}
    try:
        values = texts.loads(texts.read(config.PATH, config.LIMIT))
    except (OSError, ValueError):
        pass  # there are none, or none that can be used
    if not isinstance(values, dict):
        values = {}
    if values.get("email") == value:
        return
    values["email"] = value
    data = json.dumps(values)
    if len(data.encode()) > config.LIMIT:
        raise ValueError("the settings are full")
    with open(config.PATH, "w") as f:
        f.write(data)


def store(ssid, psk, email, link):
    """Writes what was sent; "" and None: that is as it was. Raises OSError and ValueError."""
    blob = _networks(ssid, psk)
    if nvs.get("wifi") != blob:
        nvs.put("wifi", blob)
    if nvs.get_int("net"):
        nvs.put_int("net", 0)
    if email:
        _email(email)
    if link:
        with open(invitation.PATH, "wb") as f:
            f.write(link)
