"""/config.json: what an operator may set, its types and its defaults (design of the settings)."""

from micropython import const

from flyve.jobs import texts

PATH = "/config.json"
LIMIT = const(4096)  # bytes of the whole file
# What no folder of an operator's may be called: modules, which it would hide, and files.
_MODULES = const((
    "", "flyve", "lib", "main", "boot", "rom", "umqtt", "urequests", "usocket", "ussl", "ujson",
    "binascii", "collections", "errno", "esp32", "hashlib", "json", "machine", "network", "os",
    "random", "select", "socket", "struct", "time", "tls",
))  # fmt: skip
_FILES = const((
    "apps", "apps.new", "ca.der", "ca.pem", "config.json", "deeplink", "deploy.part",
    "failures.json", "keep.json", "outbox.json", "part.json", "part.slot", "tasks.json",
    "tasks.new", "wiping",
))  # fmt: skip

_NTP = ["pool.ntp.org", "time.google.com", "time.cloudflare.com"]

# name -> (default, type or choices, lowest, highest); of what has a length, these are of it
KEYS = {
    "serial": (None, "str", 1, 64),
    "uuid": (None, "str", 1, 64),
    "email": (None, "str", 3, 128),
    "firstname": (None, "str", 0, 64),
    "lastname": (None, "str", 0, 64),
    "type": ("android", "str", 1, 16),
    "version": (None, "str", 5, 32),
    "ca": (None, "str", 2, 64),
    "tls_verify": (True, "bool", 0, 1),
    "broker": (None, "str", 1, 128),
    "port": (None, "int", 1, 65535),
    "tls": (None, "bool", 0, 1),
    "online_payload": ("auto", "auto|string|bool", 0, 0),
    "keepalive": (60, "int", 5, 3600),
    "chunk": (None, "int", 512, 1048576),
    "roots": (None, "dict", 0, 16),
    "latitude": (None, "number", -90, 90),
    "longitude": (None, "number", -180, 180),
    "ntp": (_NTP, "list", 0, 8),
    "log_level": ("info", "debug|info|warn|error", 0, 0),
    "app_token": (None, "str", 1, 64),
    "token_in": ("both", "both|header", 0, 0),
    "report": ("mqtt", "mqtt|rest|both", 0, 0),
    "user": (None, "dict", 0, 8),
    "reconnect_spread": (40, "int", 0, 3600),
    "orphan_after": (3600, "int", 1, 604800),
    "unenroll_wait": (86400, "int", 1, 2592000),
    "trial": (600, "int", 1, 86400),
    "stable": (300, "int", 1, 86400),
    "erase_on_unenroll": (False, "bool", 0, 1),
    "wipe_unverified_after": (None, "int", 1, 2592000),
    "keep_wifi": (False, "bool", 0, 1),
    "setup": (None, "auto|off", 0, 0),
    "led": (None, "int", 0, 48),
    "button": (None, "int", 0, 48),
}


def _unprintable(value, serial=False):
    """What a text must not have in it: control characters, blanks around it, and in a serial,
    which is a part of MQTT topics, nothing that one cannot see."""
    for c in value:
        n = ord(c)
        if n < 32 or 127 <= n < 160:
            return "must not contain control characters, as tab or line end"
        if 0xD800 <= n < 0xE000:
            return "must not contain half a character"
        if serial:
            if n in (0xA0, 0x1680, 0x205F, 0x3000, 0xFEFF) or n & 0xFFFE == 0xFFFE:
                return "must not contain invisible characters"
            for low, high in ((0x2000, 0x200F), (0x2028, 0x202F), (0xFDD0, 0xFDEF)):
                if low <= n <= high:
                    return "must not contain invisible characters"
    return "must not begin or end with a blank" if value != value.strip() else ""


def check(name, value):
    """Returns value if the setting called name takes it; raises ValueError with what it takes."""
    default, kind, low, high = KEYS.get(name, (0, "", 0, 0))
    given = type(value).__name__
    measured = kind in ["str", "list", "dict"]
    if not kind:
        text = "no such setting"
    elif value is None:
        return default
    elif "|" in kind:
        if value in kind.split("|"):
            return value
        text = "one of " + kind.replace("|", ", ")
    elif given != kind and (kind != "number" or given not in ["int", "float"]):
        text = "must be of type " + kind
    elif not low <= (len(value) if measured else value) <= high:
        text = "its %s must be in %d..%d" % ("length" if measured else "value", low, high)
    else:
        text = _unprintable(value, name == "serial") if kind == "str" and name != "broker" else ""
        if name == "serial":
            for c in '/+#&<>"':
                if c in value:
                    text = 'must not contain any of / + # & < > "'
        elif name == "broker":
            for c in value:
                if not ("a" <= c.lower() <= "z" or c.isdigit() or c in ".-_"):
                    text = "must be a host's name alone: no scheme, no port, no blank"
        elif name in ["ntp", "roots"]:
            for one in value if kind == "list" else value.values():
                if not isinstance(one, str):
                    text = "must hold texts only"
                elif kind == "list":
                    text = text or _unprintable(one)
            if kind == "dict" and not text:
                value = {key: one.rstrip("/") for key, one in value.items()}
                text = _about_roots(value)
        if not text:
            return value
    raise ValueError("%s: %s" % (name, text))


def _about_roots(roots):
    """What is wrong with the roots of destinations, "" when nothing is."""
    for name, path in roots.items():
        if not name or "%" in name or "/" in name:
            return "its names must not be empty, nor contain % or /"
        parts = path.split("/")
        first = parts[1] if len(parts) > 1 else ""
        if parts[0] or first.split(".")[0] in _MODULES or first in _FILES:
            return "must hold folders, and none of the agent's"
        for part in parts[1:]:
            refused = part in ["", ".", ".."] or len(part) > 64 or len(part.encode()) > 255
            for c in part:
                refused = refused or c < " " or c in "\\%\x7f"
            if refused:
                return "must hold paths that can be folders, not " + repr(path)
    return ""


def load(path=PATH):
    """Reads the settings; returns (settings, problems): a dict with each key of KEYS that has a
    value, its default where the file is silent or wrong, and a list of texts, one a problem. Never
    raises for what the file holds."""
    settings = {name: spec[0] for name, spec in KEYS.items() if spec[0] is not None}
    problems = []
    found = {}
    try:
        text = texts.read(path, LIMIT)
        if len(text) > LIMIT:
            raise ValueError("longer than %d bytes" % LIMIT)
        found = texts.loads(text) if text.lstrip(b"\xef\xbb\xbf \t\r\n") else {}
        if not isinstance(found, dict):
            found = {}
            raise ValueError("not a JSON object")
    except OSError:
        pass  # no file: all defaults
    except (ValueError, MemoryError) as e:
        problems.append("%s: %s; all defaults are used" % (path, e))
    for name, value in found.items():
        try:
            value = check(name, value)
            if value is not None:
                settings[name] = value
        except ValueError as e:
            problems.append("%s; ignored" % e)
    return settings, problems
