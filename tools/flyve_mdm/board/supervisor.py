"""Runs a virtual board: plays its power switch and its reset logic."""

import contextlib
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flyve_mdm.board import launcher
from flyve_mdm.board.bootloader import Bootloader
from flyve_mdm.board.folder import Folder
from flyve_mdm.board.life import POWER_ON, SOFT_RESET, End, Life, Shared, switched
from flyve_mdm.board.setup import Setup
from flyve_mdm.board.wire import Wire

_WAVES = 128 + 2 + 2048  # where in the state file: boards/virtual/machine.py has its layout


@dataclass(frozen=True)
class Counters:
    """What was done to flash and NVS since the start of the run."""

    ops: int = 0
    programs: int = 0
    erases: int = 0
    programmed: int = 0
    nvs: int = 0
    reads: int = 0
    pieces: int = 0  # of 32 bytes, that these reads were


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
        heap: int = 128 * 1024,
        cut_after: int | None = None,
        torn: int | None = None,
        once: bool = False,
        nvs: str = "eager",
        port: Path | None = None,
        read_us: int | None = None,
    ):
        if nvs not in ("eager", "lazy"):
            raise ValueError("nvs must be eager or lazy")
        self._folder, self._console = folder, console
        self._once, self._tell_reads = once, read_us is not None
        self._options = {
            "heap": heap,
            "cut_after": cut_after or 0,
            "torn": torn or 0,
            "lazy": nvs == "lazy",
            "read_us": read_us or 0,
        }
        self._bootloader = Bootloader(folder)
        self.setup = Setup(folder, self._say)
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
                launcher.prepare()
                if self._port:
                    self._wire = Wire(self._port)
                    stack.callback(self._wire.close)
                run = Shared(
                    folder=self._folder,
                    lock=lock,
                    wake=self._wake,
                    wire=self._wire,
                    write=self._write,
                    setup=self.setup,
                    **self._options,
                )
                self._power_on()
                try:
                    return self._boots(run)
                finally:
                    counters = self.counters()
                    if self._tell_reads:
                        self._say(f"flash reads={counters.reads}")
                    self._say(f"flash ops={counters.ops}")
        finally:
            with self._switch:
                self._waker.close()
                self._wake.close()

    def counters(self) -> Counters:
        """The counters of this run, also while it lasts."""
        return Counters(*struct.unpack_from("<7Q", self._state()))

    def pins(self) -> dict[int, int]:
        """The level of each pin: what the firmware drives, or drove when the power went off."""
        return dict(enumerate(self._state()[64:128]))

    def waves(self) -> dict[int, tuple[int, int]]:
        """Frequency and duty (of 65535) of each pin that PWM drives; it is low in pins()."""
        state = self._state()[_WAVES:].ljust(64 * 6, b"\0")
        found = enumerate(struct.iter_unpack("<IH", state[: 64 * 6]))
        return {pin: wave for pin, wave in found if wave[0]}

    def _state(self) -> bytes:
        # Until the power is on the file is missing, or an earlier run's.
        return self._folder.state.read_bytes() if self._powered else bytes(128)

    def _power_on(self) -> None:
        self._folder.state.write_bytes(bytes(56))
        self._cold()
        self._powered = True

    def _cold(self) -> None:
        # What outlives other resets: RTC (unset: zero now), pins, RTC memory; after the counters.
        state = struct.pack("<q", -time.time_ns()) + bytes(64 + 2 + 2048)
        with self._folder.state.open("r+b") as file:
            file.seek(56)
            file.write(state)

    def _boots(self, run: Shared) -> int:
        cause, life = POWER_ON, None
        while True:
            if cause != SOFT_RESET:  # which does not leave the interpreter
                boot, life = self._bootloader.start(), None
            life = Life(run, cause, boot, life)
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
                end = self._sleep(end) or End(cause=end.cause)
            if not end.cause:
                return 0
            if end.cause == POWER_ON:
                self._cold()
            cause = end.cause

    def _sleep(self, end: End) -> End | None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake, selectors.EVENT_READ)
            ready = selector.select(end.sleep_ms and end.sleep_ms / 1000)
            return switched(self._wake) if ready else None

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
