"""Runs a virtual board: starts the interpreter, and plays its power switch and reset logic.

The child talks over the control pipe, a line each: `W <ms>` starts the watchdog, `F` feeds
it, `R <cause> [<ms>]` is a reset (after a deep sleep of that time), `E <n>` the end of
main.py (1: by an exception), `X` a power cut. On a wire: `C`, it takes input, and `P`, it
comes to its prompt, instead of E.
After R, E and X it does nothing any more and waits for its SIGKILL.
"""

import contextlib
import os
import selectors
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.board.bootloader import Boot, Bootloader
from tools.board.folder import BoardError, Folder
from tools.board.interpreter import Interpreter
from tools.board.wire import Repl, Terminal, Wire

EXIT_CUT = 75
POWER_ON, RESET, WATCHDOG, DEEP_SLEEP, SOFT_RESET = range(1, 6)
_CAUSES = {RESET: "reset", WATCHDOG: "watchdog reset", DEEP_SLEEP: "deep sleep"}
_DRAIN_WAIT = 5


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

    `console` gets all output as it comes; `port` is where to put a serial port for it, and then
    the board comes to its prompt as a real one does. Raises BoardError when it cannot run.
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
        port: Path | None = None,
    ):
        if nvs not in ("eager", "lazy"):
            raise ValueError("nvs must be eager or lazy")
        self._folder, self._console = folder, console
        self._heap, self._cut_after, self._torn = heap, cut_after or 0, torn or 0
        self._once, self._lazy = once, nvs == "lazy"
        self._bootloader = Bootloader(folder)
        self._wake, self._waker = socket.socketpair()
        self._switch = threading.RLock()  # a signal handler may interrupt its own thread
        self._port, self._wire = port, None
        self._at_line_start, self._powered = True, False
        self.resets: list[int] = []

    def power_off(self) -> None:
        """Cuts the power from outside; may be called in any thread or signal handler."""
        self._press(b"!")

    def reset(self) -> None:
        """Releases the EN button, or what DTR and RTS do to it; as power_off()."""
        self._press(b"R")

    def hold(self) -> None:
        """Holds the EN button: the board stands still, its port stays; until reset()."""
        self._press(b"H")

    def _press(self, what: bytes) -> None:
        with self._switch:
            if self._waker.fileno() >= 0:
                self._waker.send(what)

    def run(self) -> int:
        """Runs the board until it is off and returns the exit code."""
        try:
            with self._folder.lock() as lock, contextlib.ExitStack() as stack:
                interpreter = Interpreter()
                if self._port:
                    self._wire = Wire(self._port)
                    stack.callback(self._wire.close)
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
        self._folder.state.write_bytes(bytes(40))
        self._cold()
        self._powered = True

    def _cold(self) -> None:
        # What outlives other resets: RTC (unset: zero now), pins, RTC memory; after the counters.
        state = struct.pack("<q", -time.time_ns()) + bytes(64 + 2 + 2048)
        with self._folder.state.open("r+b") as file:
            file.seek(40)
            file.write(state)

    def _boots(self, interpreter: Interpreter, lock: int) -> int:
        cause, life = POWER_ON, None
        while True:
            if cause != SOFT_RESET:  # which does not leave the interpreter
                boot, life = self._bootloader.start(), None
            life = _Boot(self, interpreter, lock, cause, boot, life)
            end = life.run()
            if end.cause == SOFT_RESET:
                self._write(b"MPY: soft reboot\r\n")
            elif end.text:
                self._say(f"board: {end.text}")
            if not end.cause:
                return end.code
            self.resets.append(end.cause)
            if self._once:
                return 0
            while end.sleep_ms != 0:
                end = self._sleep(end) or _End(cause=end.cause)
            if not end.cause:
                return 0
            if end.cause == POWER_ON:
                self._cold()
            cause = end.cause

    def _sleep(self, end: _End) -> _End | None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake, selectors.EVENT_READ)
            return (
                self._switched() if selector.select(end.sleep_ms and end.sleep_ms / 1000) else None
            )

    def _switched(self) -> _End:
        what = self._wake.recv(1)
        if what == b"R":
            return _End(cause=POWER_ON, text="reset by its EN pin")
        if what == b"H":
            return _End(cause=POWER_ON, sleep_ms=None, text="held in reset by its EN pin")
        return _End(text="power off")

    def _write(self, data: bytes) -> None:
        if data:
            if self._wire:
                self._wire.send(data)
            self._show(data)

    def _show(self, data: bytes) -> None:
        self._at_line_start = data.endswith(b"\n")
        self._console(data)

    def _say(self, text: str) -> None:
        # The supervisor's own words: no board would say them on its port.
        start = "" if self._at_line_start else "\n"
        self._show(f"{start}{text}\n".encode())


class _Boot:
    """One life of the interpreter, between two resets. A soft reset passes its forerunner on."""

    def __init__(
        self,
        run: Supervisor,
        interpreter: Interpreter,
        lock: int,
        cause: int,
        boot: Boot,
        former: "_Boot | None",
    ):
        self._run, self._cause, self._boot = run, cause, boot
        # A soft reset does not stop the watchdog.
        self._timeout = former and former._timeout
        self._deadline = former and former._deadline
        self._raw = bool(former and former._repl and former._repl.raw)
        self._repl = self._terminal = None
        self._partial = b""
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
            self._ours = ours
            self._child = self._spawn(interpreter, lock, theirs)
            self._ours = ours.pop_all()

    def run(self) -> _End:
        try:
            with selectors.DefaultSelector() as selector:
                for descriptor in (self._run._wake, self._control, self._console):
                    selector.register(descriptor, selectors.EVENT_READ)
                if self._repl:
                    selector.register(self._run._wire, selectors.EVENT_READ)
                return self._serve(selector)
        finally:
            self._child.kill()
            self._child.wait()
            for data in iter(self._read, b""):
                self._print(data)
            self._ours.close()

    def _serve(self, selector) -> _End:
        run = self._run
        while True:
            if self._repl:
                wanted = selectors.EVENT_WRITE if run._wire.pending else 0
                selector.modify(run._wire, selectors.EVENT_READ | wanted)
            wait = self._deadline and max(0, self._deadline - time.monotonic())
            ready = {key.fileobj for key, _ in selector.select(wait)}
            if self._console in ready:
                data = self._read()
                if not data:
                    selector.unregister(self._console)
                self._print(data)
            if self._control in ready:
                data = os.read(self._control, 65536)
                end = self._messages(data) if data else self._died()
                if end:
                    return end
            if run._wire in ready:
                run._wire.send()
                self._repl.from_host(run._wire.receive())
            if run._wake in ready:
                return run._switched()
            if self._deadline and time.monotonic() >= self._deadline:
                return _End(cause=WATCHDOG, text=_CAUSES[WATCHDOG])

    def _read(self) -> bytes:
        return self._terminal.read() if self._terminal else os.read(self._console, 65536)

    def _print(self, data: bytes) -> None:
        self._run._write(self._repl.from_board(data) if self._repl else data)

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
            elif word == "C":
                self._repl.ready()
            elif word == "P":
                self._repl.prompt()
            elif word == "E" and not self._deadline:  # otherwise the watchdog resets it
                how = "main.py failed" if rest[0] == "1" else "main.py has ended"
                return _End(code=int(rest[0]), text=f"{how}: the board sits at its prompt")
        return None

    def _died(self) -> _End:
        try:
            code = self._child.wait(_DRAIN_WAIT)
        except subprocess.TimeoutExpired:
            return _End(code=1, text="the interpreter closed its control pipe")
        # The prompt of the unix port ends so at Ctrl-D; and it may die of a second Ctrl-C.
        if self._repl and (code >= 0 or code == -signal.SIGINT):
            return _reset(SOFT_RESET)
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return _End(code=1, text=f"the interpreter died by itself ({how})")

    def _spawn(self, interpreter: Interpreter, lock: int, stack) -> subprocess.Popen:
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
        if not run._wire:
            child = interpreter.start(settings, run._heap, lock)
            self._console = child.stdout.fileno()
            self._ours.callback(child.stdout.close)
            return child
        self._terminal = Terminal()
        self._ours.callback(os.close, self._terminal.master)
        stack.callback(os.close, self._terminal.slave)
        self._console = self._terminal.master
        self._repl = Repl(run._wire, self._terminal, self._raw)
        settings.update(isig=termios.ISIG, raw=self._raw)
        return interpreter.start(settings, run._heap, lock, self._terminal.slave)

    def _open(self, stack, path: Path) -> int:
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            raise BoardError(f"{path} is missing: create the board again") from None
        stack.callback(os.close, descriptor)
        return descriptor


def _reset(cause: int, sleep_ms: int | None = None) -> _End:
    return _End(cause, sleep_ms if cause == DEEP_SLEEP else 0, text=_CAUSES.get(cause, ""))
