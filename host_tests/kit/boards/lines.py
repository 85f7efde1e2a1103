"""The lines of a serial port: its console and what moves the board's EN pin."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import serial

from flyve_mdm.board.board import VirtualBoard
from flyve_mdm.board.folder import BoardError
from flyve_mdm.patience import stretched
from flyve_mdm.text import printable

BAUD = 115200
_PROMPT = 15  # seconds
_COMMAND = 60


class Uart:
    """The lines of a real port: RTS pulls EN down while DTR is off."""

    air = press = None

    def __init__(self, port: str):
        self.port = port
        self._console = None

    def hold(self) -> None:
        """The board stands still, as if its power had gone off."""
        self._open()
        self._console.dtr, self._console.rts = False, True

    def start(self) -> serial.SerialBase:
        """Lets the board start anew; returns its console."""
        self.hold()
        self._console.reset_input_buffer()
        self._console.rts = False
        return self._console

    def free(self) -> None:
        """Lets another program have the port; the board runs then."""
        if self._console:
            self._console.rts = False
            self._console.close()
        self._console = None

    close = free

    def _open(self) -> None:
        if not self._console:
            self._console = serial.serial_for_url(self.port, BAUD, timeout=0.05, exclusive=True)


class Commanded(Uart):
    """A port without those lines: a command of the lab's resets the board. To stand still it is
    reset, and interrupted before its agent is there."""

    def __init__(self, port: str, command: str):
        super().__init__(port)
        self._command = command

    def hold(self):
        self._open()
        self._reset()
        interrupt(self._console, self.port)

    def start(self):
        self._open()
        self._console.reset_input_buffer()
        self._reset()
        return self._console

    def free(self):
        if self._console:
            self._console.close()
        self._console = None

    close = free

    def _reset(self) -> None:
        seconds = stretched(_COMMAND)
        try:
            done = subprocess.run(
                self._command,
                shell=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise BoardError(f"RESET={self._command}: it has not ended in {seconds:g} s") from None
        if done.returncode:
            said = done.stdout.decode(errors="replace").strip().rpartition("\n")[2]
            raise BoardError(
                f"RESET={self._command}: it ended with code {done.returncode}: {printable(said)}"
            )


class Pty:
    """The same for a virtual board: it stays on, its EN pin is what is played with."""

    def __init__(self, folder: Path, number: int, flash_size: int):
        self.board = VirtualBoard.create(folder / f"wired{number}", flash_size=flash_size)
        self.air, self.press = self.board.set_air, self.board.press_boot
        self._run = self.board.start(port=folder / f"port{number}")
        self.port = self._run.wait_port()
        self._console, self._held = None, False

    def hold(self):
        if not self._console:
            self._console = serial.Serial(self.port, timeout=0.05, exclusive=True)
        if not self._held:
            since, self._held = len(self._run.log), True
            self._run.hold()
            self._run.wait_log("held in reset", since=since)

    def start(self):
        self.hold()
        self._console.reset_input_buffer()
        self._release()
        return self._console

    def free(self):
        if self._console:
            self._console.close()
            self._release()
        self._console = None

    def close(self):
        self.free()
        self._run.kill()

    def _release(self):
        self._held = False
        self._run.reset()


def interrupt(console: serial.SerialBase, port: str) -> None:
    """Brings a board that runs, or starts, to its prompt. Raises BoardError."""
    # A Ctrl-C that comes too early is lost, so many are sent.
    deadline, said = time.monotonic() + stretched(_PROMPT), b""
    while not said.endswith(b">>> "):
        if time.monotonic() > deadline:
            raise BoardError(f"{port}: no prompt: is there MicroPython on the board?")
        console.write(b"\x03\x02")  # Ctrl-B: out of the raw REPL
        said = (said + console.read(4096))[-64:]
