"""The serial port of a virtual board: a pseudo-terminal that mpremote opens like /dev/ttyUSB0.

`Wire` is the host's end. `Terminal` is the interpreter's own console: a terminal, for its mode
tells whether Ctrl-C is a character at the prompt or interrupts what runs. `Repl` stands between
them and adds what the REPL of a board can do and that of the unix port cannot.
"""

import fcntl
import os
import re
import struct
import termios
import tty
from pathlib import Path

from flyve_mdm import keeper
from flyve_mdm.board.folder import BoardError

_WAITING = 1 << 16  # of output that nobody fetches; a UART would lose it, too
_WINDOW = 4096
_CTRL_A, _CTRL_B, _CTRL_C, _CTRL_D = b"\x01", b"\x02", b"\x03", b"\x04"
_PASTE = b"\x05A\x01"
_RAW = b"raw REPL; CTRL-B to exit\r\n"
_FRIENDLY = b'Type "help()" for more information.\r\n'
_BANNER = re.compile(rb"MicroPython [^\n]*\r\n" + re.escape(_FRIENDLY) + rb">>> \r\n")


class Wire:
    """The port, below a symbolic link. Raises BoardError when that name is taken."""

    def __init__(self, link: Path):
        self._link = Path(link)
        self._master, self._slave = os.openpty()
        self._out = b""
        # Open here for good: between two programs of the host the port keeps its raw mode.
        tty.setraw(self._slave)
        # In packet mode the port tells when a program that opens it drops what was waiting.
        fcntl.ioctl(self._master, termios.TIOCPKT, struct.pack("i", 1))
        os.set_blocking(self._master, False)
        self._name = os.ttyname(self._slave)
        try:
            self._place()
        except BaseException:
            self.close()
            raise

    def _place(self) -> None:
        if self._link.exists():
            # A link that leads nowhere any more was left by a board that was killed.
            leads = self._link.is_symlink()
            what = "leads to a port that is in use" if leads else "is there already"
            raise BoardError(f"{self._link} {what}: choose another name for the port")
        part = self._link.with_name(f".{self._link.name}.{os.getpid()}")
        keeper.keep_link(part, self._name)
        keeper.keep_link(self._link, self._name)
        try:
            os.symlink(self._name, part)
            os.replace(part, self._link)
            keeper.forget_link(part)
        except OSError as error:
            raise BoardError(f"cannot make the port {self._link}: {error.strerror}") from None

    def fileno(self) -> int:
        return self._master

    @property
    def pending(self) -> bool:
        """True while output waits for its reader."""
        return bool(self._out)

    def receive(self) -> bytes:
        """What the host has sent since."""
        try:
            data = os.read(self._master, 4096)
        except BlockingIOError:
            return b""
        if data[0] & termios.TIOCPKT_FLUSHREAD:
            self._out = b""
        return data[1:] if data[0] == termios.TIOCPKT_DATA else b""

    def send(self, data: bytes = b"") -> None:
        """Sends to the host what it takes; the rest waits, up to a limit."""
        self._out = (self._out + data)[-_WAITING:]
        try:
            while self._out:
                self._out = self._out[os.write(self._master, self._out) :]
        except BlockingIOError:
            pass

    def close(self) -> None:
        if self._link.is_symlink() and os.readlink(self._link) == self._name:
            self._link.unlink()
            keeper.forget_link(self._link)
        os.close(self._slave)
        os.close(self._master)


class Terminal:
    """A terminal for one life of the interpreter. Close `slave` once that has it."""

    def __init__(self):
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        mode = termios.tcgetattr(self.slave)
        mode[3] |= termios.NOFLSH
        disabled = bytes([os.fpathconf(self.slave, "PC_VDISABLE") & 0xFF])
        for key in (termios.VQUIT, termios.VSUSP):
            mode[6][key] = disabled
        mode[6][termios.VINTR] = _CTRL_C
        # Without ISIG: boards/virtual/console.py lets Ctrl-C in when it can be handled.
        termios.tcsetattr(self.slave, termios.TCSANOW, mode)

    def read(self) -> bytes:
        """What the interpreter has printed; b"" at its end."""
        try:
            return os.read(self.master, 65536)
        except OSError:  # how Linux says that the other end is closed
            return b""

    def write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.master, data) :]


class Repl:
    """Passes bytes between wire and terminal, for one life of the interpreter.

    Raw paste is done here: the unix port runs pasted code without letting Ctrl-C in.
    """

    def __init__(self, wire: Wire, terminal: Terminal, raw: bool):
        self._wire, self._terminal = wire, terminal
        self._wanted = self.raw = raw  # the mode that a soft reset comes back to
        self._ready = False
        self._held = None  # output, while it is not known yet whether it is the wrong banner
        self._typed = b""  # input that came before the interpreter could take it
        self._paste = None
        self._swallow = b""
        self._tail = b""

    def ready(self) -> None:
        """The interpreter runs and takes input from now on."""
        self._ready = True
        self.from_host(b"")

    def prompt(self) -> None:
        """The scripts are done, the interpreter comes to its prompt: a friendly one, always."""
        if self._wanted:
            self._held = b""
            self._terminal.write(_CTRL_A)

    def from_host(self, data: bytes) -> None:
        """Bytes that the host has sent."""
        if not self._ready or self._held is not None:
            self._typed += data
            return
        data, self._typed = self._typed + data, b""
        if self._paste is None and data == _PASTE and self.raw and self._tail.endswith(b">"):
            self._paste = b""
            self._wire.send(b"R\x01" + struct.pack("<H", _WINDOW) + b"\x01")
        elif self._paste is not None:
            self._pasted(data)
        elif data:
            self._terminal.write(data)

    def _pasted(self, data: bytes) -> None:
        source, end, rest = _cut(data)
        windows = (len(self._paste) + len(source)) // _WINDOW - len(self._paste) // _WINDOW
        self._paste += source
        self._wire.send(b"\x01" * windows)
        if not end:
            return
        source, self._paste = self._paste, None
        self._wire.send(_CTRL_D)
        if end == _CTRL_C:
            source = b"raise KeyboardInterrupt"
        self._swallow = b"OK"
        self._terminal.write((source or b"\n") + _CTRL_D + rest)

    def from_board(self, data: bytes) -> bytes:
        """Bytes that the interpreter has printed; returns those that go to the host."""
        if self._held is not None:
            self._held += data
            if _RAW not in self._held:
                return b""
            data, self._held = _BANNER.sub(b"", self._held), None
        if self._swallow:
            size = len(os.path.commonprefix([self._swallow, data]))
            data, self._swallow = data[size:], self._swallow[size:]
        seen = self._tail[-64:] + data
        if _RAW in seen or _FRIENDLY in seen:
            self.raw = seen.rfind(_RAW) > seen.rfind(_FRIENDLY)
        self._tail = seen[-64:]
        if self._typed and self._held is None:
            self.from_host(b"")
        return data


def _cut(data: bytes) -> tuple[bytes, bytes, bytes]:
    # What comes before the first Ctrl-C or Ctrl-D, that, and what comes after.
    found = re.search(b"[\x03\x04]", data)
    if not found:
        return data, b"", b""
    return data[: found.start()], found[0], data[found.end() :]
