"""A child process whose pipes are used up to a deadline."""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from flyve_mdm.patience import stretched

_GRACE = 2


class Hang(Exception):
    """MicroPython did not answer before its deadline."""


class Stopped(Exception):
    """MicroPython ended, or was killed, where an answer was due."""


class Child:
    """A process with its output and errors in one stream, killed with its group on close()."""

    def __init__(self, argv: Sequence, cwd: Path, descriptors: Sequence[int] = ()):
        self._process = subprocess.Popen(
            argv,
            bufsize=0,
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=descriptors,
        )
        os.set_blocking(self._process.stdin.fileno(), False)
        os.set_blocking(self._process.stdout.fileno(), False)
        self._pending = b""

    @property
    def pid(self) -> int:
        return self._process.pid

    def readline(self, deadline: float) -> bytes:
        """The next line, b"" at the end. Raises Hang."""
        while b"\n" not in self._pending:
            if not self._receive(deadline):
                line, self._pending = self._pending, b""
                return line
        line, _, self._pending = self._pending.partition(b"\n")
        return line + b"\n"

    def read(self, length: int, deadline: float) -> bytes:
        """Exactly `length` bytes. Raises Hang, or Stopped when the process ends before."""
        while len(self._pending) < length:
            if not self._receive(deadline):
                raise Stopped(self.ending())
        data, self._pending = self._pending[:length], self._pending[length:]
        return data

    def write(self, data: bytes, deadline: float) -> None:
        """Writes all of it. Raises Hang, or Stopped when the process has ended."""
        view = memoryview(data)
        while view:
            self._wait(self._process.stdin, selectors.EVENT_WRITE, deadline)
            try:
                view = view[os.write(self._process.stdin.fileno(), view[:65536]) :]
            except BrokenPipeError:
                raise Stopped(self.ending()) from None

    def last_words(self) -> Iterator[bytes]:
        """Interrupts a hanging MicroPython; gives the lines of its traceback, which show where
        it is."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGINT)
        deadline = time.monotonic() + stretched(_GRACE)
        with contextlib.suppress(Hang):
            while line := self.readline(deadline):
                yield line

    def ending(self) -> str:
        """How the process ended: what a message says of it."""
        try:
            code = self._process.wait(stretched(_GRACE))
        except subprocess.TimeoutExpired:
            return "closed its output and went on"
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(stretched(10))
        self._process.stdin.close()
        self._process.stdout.close()

    def _receive(self, deadline: float) -> bool:
        self._wait(self._process.stdout, selectors.EVENT_READ, deadline)
        data = os.read(self._process.stdout.fileno(), 65536)
        self._pending += data
        return bool(data)

    @staticmethod
    def _wait(file, event: int, deadline: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(file, event)
            if not selector.select(max(0, deadline - time.monotonic())):
                raise Hang
