# Imports modules of the firmware, to see what they take: on the unix port, and in MicroPython's
# WebAssembly build (words.mjs), which has nothing of a network or of a chip. What the modules
# import from there for later use is a stand-in.

import gc
import sys

import micropython

_OTHERS = (
    "binascii", "collections", "errno", "esp32", "hashlib", "json", "machine", "network", "os",
    "random", "select", "socket", "ssl", "struct", "time", "tls", "ubinascii", "uselect",
    "usocket", "ussl", "ustruct",
)  # fmt: skip


class _StandIn:
    def __getattr__(self, name):
        return self


def intern(names):
    """Makes names of the words of this text: they stay for good, and no import brings them."""
    for name in names.split():
        getattr(gc, name, None)


def tell_names():
    """Prints all names that are not the interpreter's own."""
    micropython.qstr_info(1)


def load(names):
    """Imports these modules (the words of a text)."""
    for name in names.split():
        __import__(name)


def there():
    """Which modules of the firmware are loaded, as a text."""
    ours = "flyve", "umqtt", "urequests"
    return " ".join(sorted([name for name in sys.modules if name.split(".")[0] in ours]))


def collect():
    gc.collect()


def used():
    """Bytes of the heap."""
    return gc.mem_alloc()


for _name in _OTHERS:
    try:
        __import__(_name)
    except ImportError:
        sys.modules[_name] = _StandIn()
