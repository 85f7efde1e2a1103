"""A virtual board that is switched on: its console, its power and what it has worn."""

import re
import threading
import time

from flyve_mdm.board import folder, supervisor
from flyve_mdm.board.log import BoardEnded, Log
from flyve_mdm.patience import stretched


class Run:
    """A running board. `log` has all its lines, also after its end."""

    def __init__(self, board: folder.Folder, **options):
        self._log = Log()
        self.log = self._log.lines
        self._final: supervisor.Counters | None = None
        self._port, self._code = options.get("port"), None
        self._error: BaseException | None = None
        self._supervisor = supervisor.Supervisor(board, self._log.feed, **options)
        # A daemon: a process that is ended in the middle of this must not wait for its board.
        name = f"board {board.path.name}"
        self._thread = threading.Thread(target=self._supervise, name=name, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def wait_log(self, pattern: str, timeout: float = 10, since: int = 0) -> re.Match:
        """Waits for a line that contains the pattern and returns the match.

        `since` is the number of the first line to look at: len(run.log) for new ones only.
        Raises TimeoutError, BoardEnded when the board went off without such a line.
        """
        try:
            return self._log.wait(pattern, timeout, since)
        except BoardEnded:
            self._raise()
            raise

    def wait(self, timeout: float = 30) -> int:
        """Waits until the board is off and returns the exit code. Raises TimeoutError."""
        timeout = stretched(timeout)
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise TimeoutError(f"the board still runs after {timeout:g} s{self._log.tail()}")
        self._raise()
        return self._code

    def wait_port(self, timeout: float = 10) -> str:
        """Waits until the serial port is there and returns its name."""
        deadline = time.monotonic() + stretched(timeout)
        while not self._port.exists():
            if self._log.ended or time.monotonic() > deadline:
                self._raise()
                raise TimeoutError(f"no port {self._port}{self._log.tail()}")
            time.sleep(0.005)
        return str(self._port)

    def kill(self) -> int:
        """Cuts the power and waits until it is off; returns the exit code."""
        self._supervisor.power_off()
        return self.wait()

    stop = kill

    def reset(self) -> None:
        """Releases the EN button: the board starts anew. Does not wait."""
        self._supervisor.reset()

    def hold(self) -> None:
        """Holds the EN button until reset(). Does not wait."""
        self._supervisor.hold()

    @property
    def running(self) -> bool:
        return not self._log.ended

    @property
    def resets(self) -> list[int]:
        """The cause of each reset so far."""
        return list(self._supervisor.resets)

    @property
    def flash_ops(self) -> int:
        """Writes and erases of flash and NVS since power on, what --cut-after counts."""
        return self.wear.ops

    @property
    def wear(self) -> supervisor.Counters:
        """All counters of flash and NVS since power on; the last ones of this run at its end."""
        return self._final or self._supervisor.counters()

    @property
    def pins(self) -> dict[int, int]:
        """The level of each pin that the firmware drives; 0 for all others."""
        return self._supervisor.pins()

    @property
    def waves(self) -> dict[int, tuple[int, int]]:
        """Frequency and duty (of 65535) of each pin that PWM drives; it is low in `pins`."""
        return self._supervisor.waves()

    @property
    def setup(self) -> tuple[int, int] | None:
        """The loopback ports of the set-up network's page and DNS; None while it is closed."""
        return self._supervisor.setup.ports

    def _supervise(self) -> None:
        try:
            self._code = self._supervisor.run()
            self._final = self._supervisor.counters()
        except BaseException as error:
            self._error = error
        self._log.end()

    def _raise(self) -> None:
        if self._error:
            raise self._error
