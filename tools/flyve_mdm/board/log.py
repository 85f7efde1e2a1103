"""The lines that a board has said, for those who wait for one of them."""

import re
import threading
import time

from flyve_mdm.patience import stretched


class BoardEnded(AssertionError):
    """The board went off while its log was waited for."""


class Log:
    """What comes from a console in one thread, as lines for others. `lines` only grows."""

    def __init__(self):
        self.lines: list[str] = []
        self.ended = False
        self._partial = b""
        self._changed = threading.Condition()

    def feed(self, data: bytes) -> None:
        """Takes what the console said next."""
        *whole, self._partial = (self._partial + data).split(b"\n")
        if whole:
            with self._changed:
                self.lines += [_text(line) for line in whole]
                self._changed.notify_all()

    def end(self) -> None:
        """Nothing more will come: whoever waits learns it."""
        with self._changed:
            if self._partial:
                self.lines.append(_text(self._partial))
            self.ended = True
            self._changed.notify_all()

    def drop(self) -> None:
        """Forgets a line that has not come to its end, and never will."""
        self._partial = b""

    def wait(self, pattern: str, timeout: float, since: int = 0) -> re.Match:
        """Waits for a line, from number `since` on, that contains the pattern; returns the match.

        Raises TimeoutError, BoardEnded when all has come and there is no such line.
        """
        timeout = stretched(timeout)
        regex, deadline, at = re.compile(pattern), time.monotonic() + timeout, since
        with self._changed:
            while True:
                while at < len(self.lines):
                    found = regex.search(self.lines[at])
                    if found:
                        return found
                    at += 1
                if self.ended:
                    raise BoardEnded(f"the board is off, and never said {pattern!r}{self.tail()}")
                if not self._changed.wait(deadline - time.monotonic()):
                    raise TimeoutError(f"no {pattern!r} in {timeout:g} s{self.tail()}")

    def tail(self) -> str:
        """The last lines, for the text of an exception."""
        return "".join(f"\n  {line}" for line in self.lines[-20:])


def _text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r")
