"""Runs a virtual board: starts the interpreter, and plays its power switch and reset logic.

The child talks over the control pipe, a line each: `W <ms>` starts the watchdog, `F` feeds
it, `R <cause> [<ms>]` is a reset (after a deep sleep of that time), `E <n>` the end of
main.py (1: by an exception), `X` a power cut.
After R, E and X it does nothing any more and waits for its SIGKILL.
"""

import contextlib
import importlib.util
import json
import os
import selectors
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools import BUILD, ROOT, build
from tools.board.bootloader import Boot, Bootloader
from tools.board.folder import BoardError, Folder

EXIT_CUT = 75
POWER_ON, RESET, WATCHDOG, DEEP_SLEEP, SOFT_RESET = range(1, 6)
_CAUSES = {RESET: "reset", WATCHDOG: "watchdog reset", DEEP_SLEEP: "deep sleep"}
# More heap than boards/virtual itself needs: launch.py takes the rest away, holes first.
_OWN_HEAP = 96 * 1024
_DRAIN_WAIT = 5

# The interpreter without the start-up of its console script. When the supervisor goes away,
# its end of the leash is closed, and the kernel kills the board.
_START = """
import os, sys
leash, own, site = int(sys.argv[1]), sys.argv[2], sys.argv[3]
try:
    import fcntl
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


@dataclass(frozen=True)
class Counters:
    """What was done to flash and NVS since the start of the run."""

    ops: int = 0
    programs: int = 0
    erases: int = 0
    programmed: int = 0
    nvs: int = 0


@dataclass(frozen=True)
class _End:
    """How one boot ended: by a reset with a cause, or the run with an exit code."""

    cause: int = 0
    sleep_ms: int | None = 0
    code: int = 0
    text: str = ""


class Supervisor:
    """One run of a board, from power on to power off; run() may be called in a thread.

    `console` gets all output as it comes. Raises BoardError when the board cannot run.
    """

    def __init__(
        self,
        folder: Folder,
        console: Callable[[bytes], None],
        *,
        heap: int = 112 * 1024,
        cut_after: int | None = None,
        torn: int | None = None,
        once: bool = False,
        nvs: str = "eager",
    ):
        if nvs not in ("eager", "lazy"):
            raise ValueError("nvs must be eager or lazy")
        self._folder, self._console = folder, console
        self._heap, self._cut_after, self._torn = heap, cut_after or 0, torn or 0
        self._once, self._lazy = once, nvs == "lazy"
        self._bootloader = Bootloader(folder)
        self._wake, self._waker = socket.socketpair()
        self._switch = threading.RLock()  # a signal handler may interrupt its own thread
        self._at_line_start, self._powered = True, False
        self.resets: list[int] = []

    def power_off(self) -> None:
        """Cuts the power from outside; may be called in any thread or signal handler."""
        with self._switch:
            if self._waker.fileno() >= 0:
                self._waker.send(b"!")

    def run(self) -> int:
        """Runs the board until it is off and returns the exit code."""
        try:
            with self._folder.lock() as lock:
                interpreter = _interpreter()
                self._power_on()
                try:
                    return self._boots(interpreter, lock)
                finally:
                    self._say(f"flash ops={self.counters().ops}")
        finally:
            with self._switch:
                self._waker.close()
                self._wake.close()

    def counters(self) -> Counters:
        """The counters of this run, also while it lasts."""
        return Counters(*struct.unpack_from("<5Q", self._state()))

    def pins(self) -> dict[int, int]:
        """The level of each pin: what the firmware drives, or drove when the power went off."""
        return dict(enumerate(self._state()[48:112]))

    def _state(self) -> bytes:
        # Until the power is on the file is missing, or an earlier run's.
        return self._folder.state.read_bytes() if self._powered else bytes(112)

    def _power_on(self) -> None:
        # What outlives a reset: counters, RTC (unset: zero now), pins, RTC memory.
        state = struct.pack("<5Qq", 0, 0, 0, 0, 0, -time.time_ns()) + bytes(64 + 2 + 2048)
        self._folder.state.write_bytes(state)
        self._powered = True

    def _boots(self, interpreter: list[str], lock: int) -> int:
        cause = POWER_ON
        while True:
            if cause != SOFT_RESET:  # which does not leave the interpreter
                boot = self._bootloader.start()
            end = _Boot(self, interpreter, lock, cause, boot).run()
            if end.text:
                self._say(f"board: {end.text}")
            if not end.cause:
                return end.code
            self.resets.append(end.cause)
            if self._once:
                return 0
            if end.sleep_ms != 0 and self._sleep(end.sleep_ms):
                return 0
            cause = end.cause

    def _sleep(self, milliseconds: int | None) -> bool:
        # True when the power went off meanwhile.
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake, selectors.EVENT_READ)
            return bool(selector.select(milliseconds and milliseconds / 1000))

    def _write(self, data: bytes) -> None:
        if data:
            self._at_line_start = data.endswith(b"\n")
            self._console(data)

    def _say(self, text: str) -> None:
        start = "" if self._at_line_start else "\n"
        self._write(f"{start}{text}\n".encode())


class _Boot:
    """One life of the interpreter, between two resets."""

    def __init__(self, run: Supervisor, interpreter: list[str], lock: int, cause: int, boot: Boot):
        self._run, self._cause, self._boot = run, cause, boot
        self._timeout = self._deadline = None
        self._partial = b""
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
            self._ours = ours
            self._child = self._spawn(interpreter, lock, theirs)
            self._ours = ours.pop_all()

    def run(self) -> _End:
        wake, control, console = (
            self._run._wake.fileno(),
            self._control,
            self._child.stdout.fileno(),
        )
        try:
            with selectors.DefaultSelector() as selector:
                for descriptor in (wake, control, console):
                    selector.register(descriptor, selectors.EVENT_READ)
                return self._serve(selector, wake, control, console)
        finally:
            self._child.kill()
            self._child.wait()
            for data in iter(lambda: os.read(console, 65536), b""):
                self._run._write(data)
            self._child.stdout.close()
            self._ours.close()

    def _serve(self, selector, wake, control, console) -> _End:
        while True:
            wait = self._deadline and max(0, self._deadline - time.monotonic())
            ready = {key.fd for key, _ in selector.select(wait)}
            if console in ready:
                data = os.read(console, 65536)
                if not data:
                    selector.unregister(console)
                self._run._write(data)
            if control in ready:
                data = os.read(control, 65536)
                end = self._messages(data) if data else self._died()
                if end:
                    return end
            if wake in ready:
                return _End(text="power off")
            if self._deadline and time.monotonic() >= self._deadline:
                return _End(cause=WATCHDOG, text=_CAUSES[WATCHDOG])

    def _messages(self, data: bytes) -> _End | None:
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            word, *rest = line.decode().split()
            if word == "W":
                self._timeout = int(rest[0]) / 1000
            if word in ("W", "F") and self._timeout:
                self._deadline = time.monotonic() + self._timeout
            elif word == "R":
                return _reset(*map(int, rest))
            elif word == "X":
                return _End(code=EXIT_CUT, text="power cut")
            elif word == "E" and not self._deadline:  # otherwise the watchdog resets it
                how = "main.py failed" if rest[0] == "1" else "main.py has ended"
                return _End(code=int(rest[0]), text=f"{how}: the board sits at its prompt")
        return None

    def _died(self) -> _End:
        try:
            code = self._child.wait(_DRAIN_WAIT)
        except subprocess.TimeoutExpired:
            return _End(code=1, text="the interpreter closed its control pipe")
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return _End(code=1, text=f"the interpreter died by itself ({how})")

    def _spawn(self, interpreter, lock, stack) -> subprocess.Popen:
        # Descriptors that only the child keeps are closed here when it has started.
        run, folder = self._run, self._run._folder
        files = {"state": folder.state, "inputs": folder.inputs, **folder.partition_files()}
        fds = {label: self._open(stack, path) for label, path in files.items()}
        self._control, fds["control"] = os.pipe()
        stack.callback(os.close, fds["control"])
        self._ours.callback(os.close, self._control)
        fds["leash"], leash = os.pipe()
        stack.callback(os.close, fds["leash"])
        self._ours.callback(os.close, leash)
        settings = {
            **folder.settings,
            "cause": self._cause,
            "cut_after": run._cut_after,
            "fds": fds,
            "heap": run._heap,
            "lazy": run._lazy,
            "partitions": folder.partitions,
            "image": self._boot.project,
            "slot": self._boot.slot,
            "torn": run._torn,
        }
        # 3 %: the tables of the garbage collector.
        size = (run._heap + _OWN_HEAP) * 103 // 100
        argv = [*interpreter[:5], str(fds["leash"]), *interpreter[5:]]
        # Not as an argument: MicroPython makes each a qstr, of 255 bytes at most.
        start = f"import sys; sys.argv[:] = ['launch', {json.dumps(settings)!r}]; import launch"
        argv += ["-X", f"heapsize={size}", "-c", start]
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[lock, *fds.values()],
            env=_environment(),
            start_new_session=True,  # Ctrl-C is the supervisor's business
        )

    def _open(self, stack, path: Path) -> int:
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            raise BoardError(f"{path} is missing: create the board again") from None
        stack.callback(os.close, descriptor)
        return descriptor


def _reset(cause: int, sleep_ms: int | None = None) -> _End:
    return _End(cause, sleep_ms if cause == DEEP_SLEEP else 0, text=_CAUSES.get(cause, ""))


def _interpreter() -> list[str]:
    """The command line up to the leash's place, and from there to MicroPython's options."""
    _build_modules()
    own = os.environ.get("MICROPYTHON", "")
    found = None if own else importlib.util.find_spec("micropython_run")
    if not own and not found:
        raise BoardError("no MicroPython: run `make setup`, or set MICROPYTHON=path")
    site = str(Path(found.origin).parent) if found else ""
    return [sys.executable, "-I", "-S", "-c", _START, own, site]


def _build_modules() -> None:
    sources = (ROOT / "boards" / "virtual").glob("*.py")
    for source in sources:
        compiled = BUILD / "virtual" / f"{source.stem}.mpy"
        if not compiled.exists() or compiled.stat().st_mtime < source.stat().st_mtime:
            build.build()
            return


def _environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FLYVE_", "MICROPY"))}
    return {**kept, "MICROPYPATH": str(BUILD / "virtual")}
