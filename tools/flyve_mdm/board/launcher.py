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
_OWN_HEAP = 96 * 1024

# The interpreter without the start-up of its console script. When the supervisor goes away,
# its end of the leash is closed, and the kernel kills the board. With a terminal as its console
# it takes that over, so that Ctrl-C there is its own.
_START = """
import os, sys
leash, own, site = int(sys.argv[1]), sys.argv[2], sys.argv[3]
try:
    import fcntl, termios
    if os.isatty(0):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    fcntl.fcntl(leash, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(leash, fcntl.F_SETSIG, 9)
    fcntl.fcntl(leash, fcntl.F_SETFL, fcntl.fcntl(leash, fcntl.F_GETFL) | os.O_ASYNC)
except (AttributeError, ImportError, OSError):
    pass
argv = ["micropython"] + sys.argv[4:]
if own:
    os.execv(own, argv)
sys.path.append(site)
import micropython_run
sys.exit(micropython_run.run_main(argv))
"""


class Launcher:
    """The interpreter to use: that of the package, or MICROPYTHON's. Raises BoardError."""

    def __init__(self):
        _build_modules()
        self._own = os.environ.get("MICROPYTHON", "")
        found = None if self._own else importlib.util.find_spec("micropython_run")
        if not self._own and not found:
            raise BoardError(f"no MicroPython: {SETUP}, or set MICROPYTHON=path")
        self._site = str(Path(found.origin).parent) if found else ""

    def start(self, settings: dict, heap: int, lock: int, terminal: int = -1) -> subprocess.Popen:
        """Starts boards/virtual/launch.py with its settings, which name the descriptors.

        The console is the terminal, or else a pipe in the result's stdout.
        """
        heap = probes.heap(heap)
        settings = {**settings, "heap": heap}
        # 3 %: the tables of the garbage collector.
        size = (heap + _OWN_HEAP) * 103 // 100
        leash = str(settings["fds"]["leash"])
        argv = [sys.executable, "-I", "-S", "-c", _START, leash, self._own, self._site]
        # Not as an argument: MicroPython makes each a qstr, of 255 bytes at most.
        start = f"import sys; sys.argv[:] = ['launch', {json.dumps(settings)!r}]"
        wire = ["-i"] if terminal >= 0 else []
        argv += [*wire, "-X", f"heapsize={size}", "-c", f"{start}; __import__('launch')"]
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL if terminal < 0 else terminal,
            stdout=subprocess.PIPE if terminal < 0 else terminal,
            stderr=subprocess.STDOUT,
            pass_fds=[lock, *settings["fds"].values()],
            env=_environment(),
            start_new_session=True,  # Ctrl-C is the supervisor's business
        )


def _build_modules() -> None:
    sources = (ROOT / "boards" / "virtual").glob("*.py")
    for source in sources:
        compiled = BUILD / "virtual" / f"{source.stem}.mpy"
        if not compiled.exists() or compiled.stat().st_mtime < source.stat().st_mtime:
            firmware.build()
            return


def _environment() -> dict[str, str]:
    # HOME: where the interpreter would keep the history of its prompt.
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("FLYVE_", "MICROPY")) and k != "HOME"
    }
    return {**kept, "MICROPYPATH": str(BUILD / "virtual")}
