"""The firmware's pure modules (deeplink, config) on CPython, for what runs on both sides."""

import functools
import importlib
import sys
import types

from flyve_mdm import ROOT

_PACKAGE = "flyve"


@functools.cache
def load(name: str) -> types.ModuleType:
    """Returns firmware/flyve/<name>.py as a module, without leaving `flyve` importable.

    What it imports from the package is loaded beside it. Raises ImportError when it needs a
    module that only a board has.
    """
    package = types.ModuleType(_PACKAGE)
    package.__path__ = [str(ROOT / "firmware" / _PACKAGE)]
    # The one module of MicroPython's own that pure firmware modules import.
    micropython = types.ModuleType("micropython")
    micropython.const = lambda value: value
    lent = {_PACKAGE: package, "micropython": micropython}
    kept = {key: module for key, module in sys.modules.items() if _is_lent(key)}
    sys.modules.update(lent)
    try:
        return importlib.import_module(f"{_PACKAGE}.{name}")
    finally:
        for key in [key for key in sys.modules if _is_lent(key)]:
            del sys.modules[key]
        sys.modules.update(kept)


def _is_lent(key: str) -> bool:
    return key in (_PACKAGE, "micropython") or key.startswith(_PACKAGE + ".")
