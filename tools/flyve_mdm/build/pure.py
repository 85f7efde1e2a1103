"""The firmware's pure modules (deeplink, config) on CPython, for what runs on both sides."""

import contextlib
import functools
import importlib
import sys
import threading
import types
from collections.abc import Iterator

from flyve_mdm import ROOT

_PACKAGE = "flyve"
_lock = threading.RLock()  # a module's function may call another's


@functools.cache
def load(name: str) -> types.ModuleType:
    """Returns firmware/flyve/<name>.py as a module, without leaving `flyve` importable.

    What it imports from the package is loaded beside it, also what its functions import when they
    are called. Raises ImportError when it needs a module that only a board has.
    """
    package = types.ModuleType(_PACKAGE)
    package.__path__ = [str(ROOT / "firmware" / _PACKAGE)]
    # What pure modules import of MicroPython's own, and of what is about memory.
    micropython, memory = types.ModuleType("micropython"), types.ModuleType("flyve.memory")
    micropython.const = lambda value: value
    package.memory, memory.drop = memory, lambda *_: None
    lent = {_PACKAGE: package, "micropython": micropython, "flyve.memory": memory}
    with _importable(lent):
        module = importlib.import_module(f"{_PACKAGE}.{name}")
    for key, value in vars(module).items():
        if isinstance(value, types.FunctionType):
            setattr(module, key, _beside(value, lent))
    return module


def _beside(function: types.FunctionType, lent: dict) -> types.FunctionType:
    @functools.wraps(function)
    def called(*args, **named):
        with _importable(lent):
            return function(*args, **named)

    return called


@contextlib.contextmanager
def _importable(lent: dict) -> Iterator[None]:
    """The modules can be imported, and what comes with them is one of them from then on."""
    with _lock:  # boards are provisioned by several threads
        kept = {key: module for key, module in sys.modules.copy().items() if _is_lent(key)}
        sys.modules.update(lent)
        try:
            yield
        finally:
            for key in filter(_is_lent, list(sys.modules)):
                lent[key] = sys.modules.pop(key)
            sys.modules.update(kept)


def _is_lent(key: str) -> bool:
    return key in (_PACKAGE, "micropython") or key.startswith(_PACKAGE + ".")
