"""The console of a board, with the time at the start of each line."""

import contextlib
import time
from collections.abc import Callable

import serial

from flyve_mdm.board import ports
from flyve_mdm.board.folder import BoardError
from flyve_mdm.patience import stretched
from flyve_mdm.text import printable

_BAUD = 115200
_PATIENCE = 30
_SILENCE = 3  # seconds after which the board is asked
_ANSWER = 15  # seconds that it has for it: it may be in the middle of a connection
_PROMPT = b">>> "
_LONGEST = 4096  # bytes without a line end, which are shown as a line


class Stamps:
    """Adds a time stamp where a line begins, however it comes in."""

    def __init__(self, write: Callable[[str], None], now: Callable[[], str] | None = None):
        self._write, self._now = write, now or _now
        self._partial = b""

    def feed(self, data: bytes) -> None:
        """Bytes of the console; whole lines are written."""
        *lines, self._partial = (self._partial + data).split(b"\n")
        if len(self._partial) > _LONGEST:
            lines.append(self._partial)
            self._partial = b""
        for line in lines:
            self._write(f"{self._now()} {printable(line.decode(errors='replace').rstrip())}")

    @property
    def partial(self) -> bytes:
        """What has no line end yet."""
        return self._partial

    def end(self) -> None:
        """Writes what has no line end."""
        if self._partial.strip():
            self.feed(b"\n")


def watch(port: str, stamps: Stamps, tell: Callable[[str], None]) -> None:
    """Shows what comes from a port until KeyboardInterrupt. The board runs on; when it says
    nothing it gets a line end, once, which an agent answers with its state.

    A port that goes away (native USB does at a reset) is waited for. Raises BoardError when it
    cannot be opened, serial.SerialException when it does not come back.
    """
    ports.check_free(port)
    seen = False
    deadline = None
    while True:
        try:
            with serial.serial_for_url(port, _BAUD, timeout=0.2, exclusive=True) as console:
                if not port.startswith(ports.URLS):
                    console.write_timeout = 1  # pyserial's RFC 2217 has none
                seen, deadline = True, None
                _read(console, stamps, lambda text: tell(f"{port} {text}"))
        except serial.SerialException:
            if not seen:
                raise BoardError(ports.why_silent(port)) from None
            stamps.end()
            if deadline is None:
                tell(f"{port} is gone: waiting for it")
                deadline = time.monotonic() + stretched(_PATIENCE)
            elif time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _read(console: serial.SerialBase, stamps: Stamps, tell: Callable[[str], None]) -> None:
    asked = heard = False
    due = time.monotonic() + stretched(_SILENCE)
    while True:
        data = console.read(max(1, console.in_waiting))
        stamps.feed(data)
        now = time.monotonic()
        if due is None:
            continue
        if asked:
            heard = heard or bool(data)
            if stamps.partial.endswith(_PROMPT):
                tell("is at MicroPython's prompt: no agent runs; `flyve reset` starts it")
                due = None
            elif now > due:
                due = None
                if not heard:
                    tell("is open, and the board does not answer: ask it by `flyve doctor`")
        elif data:
            due = now + stretched(_SILENCE)
        elif now > due:
            asked, due = True, now + stretched(_ANSWER)
            with contextlib.suppress(serial.SerialTimeoutException):  # it does not even read
                console.write(b"\r")


def _now() -> str:
    seconds = time.time()
    return time.strftime("%H:%M:%S", time.localtime(seconds)) + f".{int(seconds * 1000) % 1000:03}"
