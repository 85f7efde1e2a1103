"""What the benches share: provisioned boards beside a backend, and a broker that does not log."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from flyve_mdm import keeper
from flyve_mdm.backend.broker import find_mosquitto, free_port
from flyve_mdm.backend.server import Backend
from flyve_mdm.board import invited
from flyve_mdm.board.board import VirtualBoard
from flyve_mdm.build import firmware

SCRIPTS = Path(__file__).parent / "inside"
KIB = 1024
_MAINS = {
    "probe": "import probe\nprobe.install({})\n",
    "heap": "import heap\nheap.watch()\n",
    "day": "import day\nday.hasten()\n",
    "reads": "",
    "phases": "import phases\nphases.run({}, {})\n",
}


class Rig:
    """A backend, and boards provisioned for it whose Wi-Fi joins at once. A context manager."""

    def __init__(self, tls: bool = False, **switches) -> None:
        self._stack = contextlib.ExitStack()
        self._tls, self._switches = tls, switches
        self._count = 0

    def __enter__(self) -> Rig:
        firmware.build()
        with contextlib.ExitStack() as stack:
            self._folder = stack.enter_context(keeper.folder("flyve-bench-"))
            self.backend = stack.enter_context(Backend(tls=self._tls, **self._switches))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_) -> None:
        self._stack.close()

    def board(self, probe: int | None = None, beside: str = "", **settings) -> VirtualBoard:
        """A new board with an invitation; `beside`: see beside(). With `probe`, inside/probe.py
        runs there and makes the agent reconnect that often."""
        self._count += 1
        board = invited.create(self._folder / f"board{self._count}")
        board.deploy()
        board.set_air({invited.SSID: invited.PSK}, connect_ms=0)
        email = f"user{self._count}@example.org"
        self.settings = {"email": email, "ntp": [self.backend.ntp], "reconnect_spread": 0}
        self.settings.update(settings)
        invited.invite(board, self.backend.invite(email), self.settings, self.backend.ca_der)
        if probe is not None:
            self.beside(board, "probe", probe)
        elif beside:
            self.beside(board, beside)
        return board

    def blank(self, beside: str) -> VirtualBoard:
        """A new board that nobody has provisioned, in the air of that Wi-Fi."""
        self._count += 1
        board = invited.create(self._folder / f"board{self._count}")
        board.deploy()
        board.set_air({invited.SSID: invited.PSK}, connect_ms=0, scan_ms=0)
        self.beside(board, beside)
        return board

    def beside(self, board: VirtualBoard, script: str, *arguments: int) -> None:
        """Lets inside/<script>.py run on the board, beside its agent."""
        main = _MAINS[script].format(*arguments)
        main += "from flyve.agent import main\nmain()\n" if script != "phases" else ""
        step = firmware.Step(SCRIPTS / f"{script}.py", f"{script}.mpy", script, 3, firmware.follow)
        compiled = self._folder / step.target
        firmware.compile_step(step, compiled)
        board.change({"/main.py": main.encode(), f"/{step.target}": compiled.read_bytes()})


@contextlib.contextmanager
def broker() -> Iterator[int]:
    """A mosquitto that neither logs messages nor asks who it is; yields its port. The
    backend's own one logs each message, which would slow down the fast clients most."""
    program = find_mosquitto()
    if program is None:
        raise click.ClickException("mosquitto was not found: install it for this bench")
    port = free_port("127.0.0.1")
    with keeper.folder("flyve-bench-") as folder:
        conf = folder / "mosquitto.conf"
        lines = [f"listener {port} 127.0.0.1", "allow_anonymous true", "log_dest none"]
        conf.write_text("\n".join(lines + ["user root"] * (os.geteuid() == 0)) + "\n")
        process = keeper.start(
            [program, "-c", str(conf)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _await_port(port)
            yield port
        finally:
            process.terminate()
            process.wait(5)
            keeper.forget(process.pid)


def _await_port(port: int) -> None:
    deadline = time.monotonic() + 5
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise click.ClickException("mosquitto does not start") from None
            time.sleep(0.02)  # a listening port announces itself to nobody


def environment() -> dict[str, str]:
    """For plain MicroPython: the libraries of the board's /lib on its path."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MICROPY")}
    return {**kept, "MICROPYPATH": str(firmware.TREE / "lib")}


def smallest(works: Callable[[int], bool], low: int, high: int, step: int) -> int | None:
    """The smallest multiple of step in low..high for which it works, by bisection; None when
    it does not work with the highest."""
    low, high = -(-low // step), high // step
    if not works(high * step):
        return None
    while low < high:
        middle = (low + high) // 2
        if works(middle * step):
            high = middle
        else:
            low = middle + 1
    return high * step


def kib(size: float) -> str:
    """A size as text."""
    return f"{size / KIB:,.1f} KiB"
