"""Starts MicroPython's unix port for one life of a virtual board, tied to its supervisor."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

from flyve_mdm import BUILD, ROOT, SETUP
from flyve_mdm.board.folder import BoardError
from flyve_mdm.build import firmware, probes

# More heap than boards/virtual itself needs: launch.py takes the rest away, holes first.
_OWN_HEAP = 112 * 1024

# When the supervisor goes away, its end of the leash is closed, and the kernel kills the board.
# With a terminal as its console it takes that over, so that Ctrl-C there is its own.
_LEASH = """
leash = %s
try:
    import fcntl, termios
    if os.isatty(0):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    fcntl.fcntl(leash, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(leash, fcntl.F_SETSIG, 9)
    fcntl.fcntl(leash, fcntl.F_SETFL, fcntl.fcntl(leash, fcntl.F_GETFL) | os.O_ASYNC)
except (AttributeError, ImportError, OSError):
    pass
"""
_START = """
own, site, argv = sys.argv[1], sys.argv[2], ["micropython"] + sys.argv[3:]
if own:
    os.execv(own, argv)
sys.path.append(site)
import micropython_run
sys.exit(micropython_run.run_main(argv))
"""


def command(*arguments: str, before: str = "") -> list[str]:
    """The command line of MicroPython, that of the package or MICROPYTHON's, without the start-up
    of its console script; before: what Python does first. Raises BoardError."""
    own = os.environ.get("MICROPYTHON", "")
    found = None if own else importlib.util.find_spec("micropython_run")
    if not own and not found:
        raise BoardError(f"no MicroPython: {SETUP}, or set MICROPYTHON=path")
    site = str(Path(found.origin).parent) if found else ""
    start = f"import os, sys\n{before}{_START}"
    return [sys.executable, "-I", "-S", "-c", start, own, site, *arguments]


def prepare() -> None:
    """Compiles boards/virtual where that is due. Raises what firmware.build() raises, or
    BoardError where there is no interpreter."""
    for source in (ROOT / "boards" / "virtual").glob("*.py"):
        compiled = BUILD / "virtual" / f"{source.stem}.mpy"
        if not compiled.exists() or compiled.stat().st_mtime < source.stat().st_mtime:
            firmware.build()
            break
    command()


def start(settings: dict, heap: int, lock: int, terminal: int = -1) -> subprocess.Popen:
    """Starts boards/virtual/launch.py with its settings, which name the descriptors.

    The console is the terminal, or else a pipe in the result's stdout.
    """
    heap = probes.heap(heap)
    settings = {**settings, "heap": heap}
    # 3 %: the tables of the garbage collector.
    size = (heap + _OWN_HEAP) * 103 // 100
    # Not as an argument: MicroPython makes each a qstr, of 255 bytes at most.
    start = f"import sys; sys.argv[:] = ['launch', {json.dumps(settings)!r}]"
    wire = ["-i"] if terminal >= 0 else []
    argv = [*wire, "-X", f"heapsize={size}", "-c", f"{start}; __import__('launch')"]
    return subprocess.Popen(
        command(*argv, before=_LEASH % settings["fds"]["leash"]),
        stdin=subprocess.DEVNULL if terminal < 0 else terminal,
        stdout=subprocess.PIPE if terminal < 0 else terminal,
        stderr=subprocess.STDOUT,
        pass_fds=[lock, *settings["fds"].values()],
        env=_environment(),
        start_new_session=True,  # Ctrl-C is the supervisor's business
    )


def _environment() -> dict[str, str]:
    # HOME: where the interpreter would keep the history of its prompt.
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("FLYVE_", "MICROPY")) and k != "HOME"
    }
    return {**kept, "MICROPYPATH": str(BUILD / "virtual")}
