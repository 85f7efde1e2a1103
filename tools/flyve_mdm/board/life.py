"""One life of a virtual board's interpreter, between two resets.

The child talks over the control pipe, a line each: `W <ms>` starts the watchdog, `F` feeds
it, `R <cause> [<ms>]` is a reset (after a deep sleep of that time), `E <n>` the end of
main.py (1: by an exception), `X` a power cut. On a wire: `C`, it takes input, and `P`, it
comes to its prompt, instead of E.
`A <page> <dns>` says on which ports the set-up network's servers are (none: they are
closed), `S <mac> <what>` what became of a phone that wanted to join it.
After R, E and X it does nothing any more and waits for its SIGKILL.
"""

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flyve_mdm import keeper
from flyve_mdm.board import launcher
from flyve_mdm.board.bootloader import Boot
from flyve_mdm.board.folder import BoardError, Folder
from flyve_mdm.board.setup import Setup
from flyve_mdm.board.wire import Repl, Terminal, Wire

EXIT_CUT = 75
POWER_ON, RESET, WATCHDOG, DEEP_SLEEP, SOFT_RESET = range(1, 6)
CAUSES = {RESET: "reset", WATCHDOG: "watchdog reset", DEEP_SLEEP: "deep sleep"}
_DRAIN_WAIT = 5


@dataclass(frozen=True)
class End:
    """How one life ended: by a reset with a cause, or the run with an exit code."""

    cause: int = 0
    sleep_ms: int | None = 0
    code: int = 0
    text: str = ""


@dataclass(frozen=True)
class Shared:
    """What all lives of one run share."""

    folder: Folder
    lock: int
    wake: socket.socket  # brings what is done to power and EN pin
    wire: Wire | None
    write: Callable[[bytes], None]
    setup: Setup
    heap: int
    cut_after: int
    torn: int
    lazy: bool
    read_us: int


def switched(wake: socket.socket) -> End:
    """What was done to power and EN pin: a letter of it has come."""
    what = wake.recv(1)
    if what == b"R":
        return End(cause=POWER_ON, text="reset by its EN pin")
    if what == b"H":
        return End(cause=POWER_ON, sleep_ms=None, text="held in reset by its EN pin")
    return End(text="power off")


class Life:
    """One life of the interpreter, between two resets. A soft reset passes its forerunner on."""

    def __init__(
        self,
        run: Shared,
        cause: int,
        boot: Boot,
        former: "Life | None",
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
            self._child = self._spawn(theirs)
            keeper.keep(self._child.pid)
            self._ours = ours.pop_all()

    def run(self) -> End:
        try:
            with selectors.DefaultSelector() as selector:
                for descriptor in (self._run.wake, self._control, self._console):
                    selector.register(descriptor, selectors.EVENT_READ)
                if self._repl:
                    selector.register(self._run.wire, selectors.EVENT_READ)
                return self._serve(selector)
        finally:
            self._child.kill()
            self._child.wait()
            keeper.forget(self._child.pid)
            for data in iter(self._read, b""):
                self._print(data)
            self._run.setup.closed()
            self._ours.close()

    def _serve(self, selector) -> End:
        run = self._run
        while True:
            if self._repl:
                wanted = selectors.EVENT_WRITE if run.wire.pending else 0
                selector.modify(run.wire, selectors.EVENT_READ | wanted)
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
            if run.wire in ready:
                run.wire.send()
                self._repl.from_host(run.wire.receive())
            if run.wake in ready:
                return switched(run.wake)
            if self._deadline and time.monotonic() >= self._deadline:
                return End(cause=WATCHDOG, text=CAUSES[WATCHDOG])

    def _read(self) -> bytes:
        return self._terminal.read() if self._terminal else os.read(self._console, 65536)

    def _print(self, data: bytes) -> None:
        self._run.write(self._repl.from_board(data) if self._repl else data)

    def _messages(self, data: bytes) -> End | None:
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
                return End(code=EXIT_CUT, text="power cut")
            elif word == "A":
                self._run.setup.servers(*rest)
            elif word == "S":
                self._run.setup.station(*rest)
            elif word == "C":
                self._repl.ready()
            elif word == "P":
                self._repl.prompt()
            elif word == "E" and not self._deadline:  # otherwise the watchdog resets it
                how = "main.py failed" if rest[0] == "1" else "main.py has ended"
                return End(code=int(rest[0]), text=f"{how}: the board sits at its prompt")
        return None

    def _died(self) -> End:
        try:
            code = self._child.wait(_DRAIN_WAIT)
        except subprocess.TimeoutExpired:
            return End(code=1, text="the interpreter closed its control pipe")
        # The prompt of the unix port ends so at Ctrl-D; and it may die of a second Ctrl-C.
        if self._repl and (code >= 0 or code == -signal.SIGINT):
            return _reset(SOFT_RESET)
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return End(code=1, text=f"the interpreter died by itself ({how})")

    def _spawn(self, stack) -> subprocess.Popen:
        # Descriptors that only the child keeps are closed here when it has started.
        run, folder = self._run, self._run.folder
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
            "cut_after": run.cut_after,
            "fds": fds,
            "heap": run.heap,
            "lazy": run.lazy,
            "read_us": run.read_us,
            "partitions": folder.partitions,
            "ports": run.setup.wanted(),
            "image": self._boot.project,
            "slot": self._boot.slot,
            "torn": run.torn,
        }
        if not run.wire:
            child = launcher.start(settings, run.heap, run.lock)
            self._console = child.stdout.fileno()
            self._ours.callback(child.stdout.close)
            return child
        self._terminal = Terminal()
        self._ours.callback(os.close, self._terminal.master)
        stack.callback(os.close, self._terminal.slave)
        self._console = self._terminal.master
        self._repl = Repl(run.wire, self._terminal, self._raw)
        settings.update(isig=termios.ISIG, raw=self._raw)
        return launcher.start(settings, run.heap, run.lock, self._terminal.slave)

    def _open(self, stack, path: Path) -> int:
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            raise BoardError(f"{path} is missing: create the board again") from None
        stack.callback(os.close, descriptor)
        return descriptor


def _reset(cause: int, sleep_ms: int | None = None) -> End:
    return End(cause, sleep_ms if cause == DEEP_SLEEP else 0, text=CAUSES.get(cause, ""))
