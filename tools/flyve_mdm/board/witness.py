"""What a board on a port says while it is waited for: why it does not come online."""

import re
import termios
import threading

import serial

from flyve_mdm.text import printable

_BAUD = 115200
_LINE = 4096  # bytes of a line that are kept
# What no patience mends.
_FINAL = re.compile(r" ERROR enrollment: (refused .*)")
# The last of these is why; what the console tells of the state says it once more.
_TROUBLE = re.compile(r"\d+ (?:WARN|ERROR) ((?:wifi|enrollment|link|clock|agent|config): .*)")


class Witness:
    """Reads the console of a board in the background, until the end of the `with`."""

    def __init__(self, port: str):
        self._port, self._stop = port, threading.Event()
        self._trouble: dict[str, str] = {}
        self._gone = False
        self.verdict = ""  # a refusal: there is nothing to wait for any more
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> "Witness":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        self._thread.join()

    def why(self) -> str:
        """The reason as the board tells it, or ""."""
        gone = [f"{self._port} went away: is it plugged in?"] if self._gone else []
        return self.verdict or "; ".join([*self._trouble.values(), *gone])

    def _read(self) -> None:
        while not self._stop.is_set():
            try:
                with serial.serial_for_url(self._port, _BAUD, timeout=0.2, exclusive=True) as line:
                    self._gone = False
                    self._listen(line)
            except (serial.SerialException, OSError, termios.error):
                self._gone = True
                self._stop.wait(0.2)  # native USB goes away while the board restarts

    def _listen(self, line: serial.SerialBase) -> None:
        partial = b""
        while not self._stop.is_set():
            *lines, partial = (partial + line.read(max(1, line.in_waiting))).split(b"\n")
            partial = partial[-_LINE:]  # one that never ends is none of the agent's
            for said in lines:
                self._hear(printable(said.decode(errors="replace").strip()))

    def _hear(self, text: str) -> None:
        final = _FINAL.search(text)
        if final:
            self.verdict = final[1]
            return
        found = _TROUBLE.search(text)
        if found:
            area = found[1].partition(":")[0]
            self._trouble.pop(area, None)  # the newest last
            self._trouble[area] = found[1]
        elif " INFO wifi: connected" in text:
            self._trouble.pop("wifi", None)
        elif " INFO clock: set" in text:
            self._trouble.pop("clock", None)
