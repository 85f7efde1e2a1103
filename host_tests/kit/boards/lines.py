"""The lines of a serial port: its console and what moves the board's EN pin."""

from __future__ import annotations

from pathlib import Path

import serial

from flyve_mdm.board.board import VirtualBoard

BAUD = 115200


class Uart:
    """The lines of a real port: RTS pulls EN down while DTR is off."""

    air = press = None

    def __init__(self, port: str):
        self.port = port
        self._console = None

    def console(self) -> serial.SerialBase:
        """The open port; the board stands still until release()."""
        if not self._console:
            self._console = serial.serial_for_url(self.port, BAUD, timeout=0.05, exclusive=True)
        self._console.dtr, self._console.rts = False, True
        return self._console

    def release(self) -> None:
        self._console.rts = False

    def free(self) -> None:
        """Lets another program have the port; the board runs then."""
        if self._console:
            self._console.rts = False
            self._console.close()
        self._console = None

    close = free


class Pty:
    """The same for a virtual board: it stays on, its EN pin is what is played with."""

    def __init__(self, folder: Path, number: int, flash_size: int):
        self.board = VirtualBoard.create(folder / f"wired{number}", flash_size=flash_size)
        self.air, self.press = self.board.set_air, self.board.press_boot
        self._run = self.board.start(port=folder / f"port{number}")
        self.port = self._run.wait_port()
        self._console, self._held = None, False

    def console(self):
        if not self._console:
            self._console = serial.Serial(self.port, timeout=0.05, exclusive=True)
        if not self._held:
            since, self._held = len(self._run.log), True
            self._run.hold()
            self._run.wait_log("held in reset", since=since)
        return self._console

    def release(self):
        self._held = False
        self._run.reset()

    def free(self):
        if self._console:
            self._console.close()
            self.release()
        self._console = None

    def close(self):
        self.free()
        self._run.kill()
