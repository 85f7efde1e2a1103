"""Modules that are in RAM only while a phase needs them: code costs 1.6 bytes a byte there."""

import gc
import sys

from micropython import const

import flyve

low = 1 << 30  # bytes of heap that were free at the tightest collection

# All other modules are dropped. `online` and what it imports come with the enrollment.
_KEPT = const(("agent", "apps", "backoff", "board", "inbox", "link", "log", "mqtt", "online",
               "outbox", "record", "registry", "resident", "text", "transport",
               "wifi"))  # fmt: skip


def _collect():
    global low
    gc.collect()
    low = min(low, gc.mem_free())


def load(name):
    """Imports flyve.<name> and returns it, after making room for it."""
    _collect()
    return getattr(__import__("flyve." + name), name)


def drop(*names):
    """Forgets the named modules, or all that only a phase needs. Nothing of them may be in use;
    they hold no native code, which is freed only by a reset."""
    for name in names or [n[6:] for n in sys.modules if n[:6] == "flyve."]:
        if not names and name in _KEPT:
            continue
        # Both references count: the module stays in RAM while one is left.
        if sys.modules.pop("flyve." + name, None) and hasattr(flyve, name):
            delattr(flyve, name)
    if not names or "rest" in names:
        sys.modules.pop("urequests", None)
    _collect()
