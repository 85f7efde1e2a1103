"""/config.json: what an operator may set, its types and its defaults (design of the settings)."""

import json

PATH = "/config.json"
LIMIT = 4096  # bytes of the whole file

_NUMBER = (int, float)
# name -> (default, types, lowest, highest); for a list or a str the bounds are its length.
KEYS = {
    "serial": (None, str, 1, 64),
    "uuid": (None, str, 1, 64),
    "email": (None, str, 3, 128),
    "firstname": (None, str, 0, 64),
    "lastname": (None, str, 0, 64),
    "type": ("android", str, 1, 16),
    "version": (None, str, 5, 32),
    "ca": (None, str, 2, 64),
    "tls_verify": (True, bool, None, None),
    "broker": (None, str, 1, 128),
    "port": (None, int, 1, 65535),
    "tls": (None, bool, None, None),
    "online_payload": ("auto", ("auto", "string", "bool"), None, None),
    "keepalive": (60, int, 5, 3600),
    "chunk": (None, int, 512, 1048576),
    "roots": (None, dict, 0, 16),
    "latitude": (None, _NUMBER, -90, 90),
    "longitude": (None, _NUMBER, -180, 180),
    "ntp": (["pool.ntp.org", "time.google.com", "time.cloudflare.com"], list, 0, 8),
    "log_level": ("info", ("debug", "info", "warn", "error"), None, None),
    "app_token": (None, str, 1, 64),
    "token_in": ("both", ("both", "header"), None, None),
    "report": ("mqtt", ("mqtt", "rest", "both"), None, None),
    "user": (None, dict, 0, 8),
    "reconnect_spread": (40, int, 0, 3600),
    "orphan_after": (3600, int, 1, 604800),
    "unenroll_wait": (86400, int, 1, 2592000),
    "trial": (600, int, 1, 86400),
    "erase_on_unenroll": (False, bool, None, None),
    "wipe_unverified_after": (None, int, 1, 2592000),
    "keep_wifi": (False, bool, None, None),
    "led": (None, int, 0, 48),
    "button": (None, int, 0, 48),
}


def check(name, value):
    """Returns value if the setting called name takes it; raises ValueError with what it takes."""
    if name not in KEYS:
        raise ValueError("%s: no such setting" % name)
    default, kind, low, high = KEYS[name]
    if value is None:
        return default
    if isinstance(kind, tuple) and isinstance(kind[0], str):
        if value not in kind:
            raise ValueError("%s: one of %s" % (name, ", ".join(kind)))
        return value
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        wanted = "number" if kind is _NUMBER else kind.__name__
        raise ValueError("%s: must be of type %s" % (name, wanted))
    if low is not None:
        size = len(value) if kind in (str, list, dict) else value
        if not low <= size <= high:
            what = "length" if kind in (str, list, dict) else "value"
            raise ValueError("%s: its %s must be in %s..%s" % (name, what, low, high))
    if name in ("ntp", "roots") and not all(
        isinstance(v, str) for v in (value if kind is list else value.values())
    ):
        raise ValueError("%s: must hold texts only" % name)
    if name == "serial" and any(c in value for c in '/+#&<>"'):
        raise ValueError('serial: must not contain any of / + # & < > "')
    return value


def load(path=PATH):
    """Reads the settings; returns (settings, problems): a dict with every key of KEYS, with its
    default where the file is silent or wrong, and a list of texts, one a problem. Never raises
    for what the file holds."""
    settings = {name: spec[0] for name, spec in KEYS.items()}
    problems = []
    found = {}
    try:
        with open(path) as f:
            text = f.read(LIMIT + 1)
        if len(text) > LIMIT:
            raise ValueError("longer than %d bytes" % LIMIT)
        found = json.loads(text) if text.strip() else {}
        if not isinstance(found, dict):
            found = {}
            raise ValueError("not a JSON object")
    except OSError:
        pass  # no file: all defaults
    except (ValueError, MemoryError) as e:
        problems.append("%s: %s; all defaults are used" % (path, e))
    for name, value in found.items():
        try:
            settings[name] = check(name, value)
        except ValueError as e:
            problems.append("%s; ignored" % e)
    return settings, problems
