"""A board behind a serial port, with the interface of VirtualBoard and its Run, as far as a real
board can have it; what it cannot do skips the test."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path

import pytest
import serial

from flyve_mdm.board.log import Log
from flyve_mdm.board.remote import SerialBoard
from host_tests.kit.boards.lines import BAUD, Commanded, Pty, Uart, interrupt
from host_tests.kit.boards.virtual import FLASH, JOIN_MS, PSK, SSID

_KEYS = ("base", "crashes", "led", "net", "rec.a", "rec.b", "update", "wifi", "wipe")

_TREE = """
import os
def _look(path):
    for entry in os.ilistdir(path or "/"):
        name = path + "/" + entry[0]
        if entry[1] & 0x4000:
            _look(name)
        else:
            print(os.stat(name)[6], name)
_look("")
"""
_EMPTY = """
import os
def _look(path):
    for entry in os.ilistdir(path or "/"):
        name = path + "/" + entry[0]
        if entry[1] & 0x4000:
            _look(name)
        elif not name.startswith(%r):
            os.remove(name)
    if path and not os.listdir(path):
        os.rmdir(path)
_look("")
"""
_NVS = """
import binascii, esp32
n, b = esp32.NVS("flyve"), bytearray(4096)
for k in %r:
    try:
        print(k, "blob", binascii.hexlify(memoryview(b)[: n.get_blob(k, b)]).decode())
    except OSError:
        try:
            print(k, "i32", n.get_i32(k))
        except OSError:
            pass
"""
_MAC = "import machine\nprint(machine.unique_id().hex())"


class WiredBoards:
    """A real board on a port, or a virtual one on a pseudo-terminal: always the same one."""

    def __init__(
        self,
        port: str | None,
        folder: Path,
        wifi: tuple,
        backend: dict[str, str],
        reset: str | None = None,
    ):
        """backend: under which host and on which address it is reached; reset: a command."""
        self.wifi, self.backend = wifi, backend
        self._port, self._folder, self._reset, self._count = port, folder, reset, 0
        self._boards: dict[int, WiredBoard] = {}  # by the size of their flash
        self.installed = 0  # seconds that the first deployment took

    def make(self, aps=None, flash_size=FLASH, ota=False):
        """The board, blank but for the firmware, and standing still."""
        if ota:
            pytest.skip("needs a virtual board: firmware images that only it starts")
        if self._port and (aps or flash_size != FLASH):
            pytest.skip("needs a virtual board: its air, or a flash of that size")
        if flash_size not in self._boards:
            self.close()
            self._count += 1
            self._boards[flash_size] = WiredBoard(self._lines(flash_size))
        board = self._boards[flash_size]
        if not self._port:
            board.set_air(aps or {SSID: PSK}, JOIN_MS)
        started = time.monotonic()
        board.blank()
        board.deploy()
        self.installed = self.installed or time.monotonic() - started
        return board

    def _lines(self, flash_size):
        if not self._port:
            return Pty(self._folder, self._count, flash_size)
        return Commanded(self._port, self._reset) if self._reset else Uart(self._port)

    def close(self):
        for board in self._boards.values():
            board.close()
        self._boards.clear()


class WiredBoard:
    """What VirtualBoard is for a folder, over the wire. To be looked at it is interrupted; if it
    was running, it starts anew afterwards."""

    def __init__(self, lines):
        self.lines = lines
        self._run, self._visit = None, None

    # As VirtualBoard

    @property
    def mac(self):
        with self.at_its_prompt() as board:
            return board.run(_MAC).strip()

    def deploy(self, tree: Path | None = None) -> int:
        with self.at_its_prompt() as board:
            return board.deploy(tree or board.tree())

    def files(self):
        with self.at_its_prompt() as board:
            lines = [line.split(" ", 1) for line in board.run(_TREE).splitlines()]
        return sorted((path, int(size)) for size, path in lines)

    def read(self, path):
        with self.at_its_prompt() as board:
            return board.read(path)

    def write(self, path, data):
        self.change({path: data.encode() if isinstance(data, str) else data})

    def remove(self, path):
        self.change({path: None})

    def nvs(self):
        """The entries that the firmware has names for: a board cannot list them."""
        with self.at_its_prompt() as board:
            rows = [line.split() for line in board.run(_NVS % (_KEYS,)).splitlines()]
        return [
            ("flyve", key, kind, int(value[0]) if kind == "i32" else bytes.fromhex("".join(value)))
            for key, kind, *value in rows
        ]

    def nvs_set(self, namespace, key, value):
        self.change(entries={(namespace, key): value})

    def change(self, files=None, entries=None):
        with self.at_its_prompt() as board:
            board.change(files, entries)

    def set_air(self, aps, connect_ms=None):
        if not self.lines.air:
            pytest.skip("needs a virtual board: its air")
        self.lines.air(aps, connect_ms)

    def press_boot(self, seconds):
        if not self.lines.press:
            pytest.skip("needs a virtual board: its button")
        self.lines.press(seconds)

    def start(self, heap=None, cut_after=None, torn=None, once=False, nvs="eager"):
        """Lets it run. Its heap is what it is."""
        if cut_after or once or nvs != "eager":
            pytest.skip("needs a virtual board: its power")
        self.leave()
        self._run = WiredRun(self)
        return self._run

    # What only a wire needs

    def blank(self):
        """Removes all but the firmware, and what NVS holds."""
        with self.at_its_prompt() as board:
            board.run(_EMPTY % (("/flyve/", "/lib/", "/boot.py", "/main.py"),))
            board.change(entries={("flyve", key): None for key in _KEYS})

    @contextlib.contextmanager
    def at_its_prompt(self):
        """The SerialBoard that it is meanwhile."""
        running = self._run is not None and self._run.running
        if running:
            self._run.pause()
        if not self._visit:
            self.lines.free()
            self._interrupt()
            self._visit = SerialBoard(self.lines.port, restart=False)
        try:
            yield self._visit
        finally:
            if running:
                self.leave()
                self._run.resume()

    def leave(self):
        if self._visit:
            self._visit.close()
            self._visit = None

    def close(self):
        self.leave()
        self.lines.close()

    def _interrupt(self):
        port = self.lines.port
        with serial.serial_for_url(port, BAUD, timeout=0.1, exclusive=True) as console:
            interrupt(console, port)


class WiredRun:
    """A board that runs, and what it says; as Run."""

    def __init__(self, board: WiredBoard):
        self._board = board
        self._log = Log()
        self.log = self._log.lines
        self._thread, self._ending = None, False
        self.running = True
        self.resume()

    def resume(self):
        self._ending = False
        console = self._board.lines.start()
        self._thread = threading.Thread(target=self._listen, args=(console,))
        self._thread.start()

    def pause(self):
        self._ending = True
        self._thread.join()

    def _listen(self, console):
        while not self._ending:
            try:
                self._log.feed(console.read(max(1, console.in_waiting)))
            except (serial.SerialException, OSError):
                break
        self._log.drop()

    def wait_log(self, pattern, timeout=10, since=0):
        return self._log.wait(pattern, timeout, since)

    def kill(self):
        """Pulls EN down: as if its power had gone off."""
        if self.running:
            self.pause()
            self.running = False
            self._board.lines.hold()
        return 0

    stop = kill

    def wait(self, timeout=30):
        pytest.skip("needs a virtual board: its power")

    flash_ops = wear = pins = waves = property(lambda self: pytest.skip("needs a virtual board"))
