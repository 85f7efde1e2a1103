"""`flyve fleet`: many real virtual boards on this machine against one simulated backend."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from flyve_mdm import keeper, text
from flyve_mdm.backend.server import Backend
from flyve_mdm.board import invited
from flyve_mdm.board.log import BoardEnded
from flyve_mdm.board.run import Run
from flyve_mdm.build import firmware, libraries, toolchain

_LARGEST = 200
_AT_ONCE = 2  # boards on their way to online, for each core: they are bound by it
_WAIT = 60  # seconds for one board
_SETTLE = 1.5  # seconds: the second birth has gone out


@dataclass(frozen=True)
class Summary:
    """What became of a fleet: boards that the backend sees online, seconds until then, and the
    resident memory of the interpreters in bytes, on average; None where it cannot be told."""

    boards: int
    online: int
    seconds: float
    memory: int | None


class BoardFleet:
    """Boards in a folder, and the backend that invites them."""

    def __init__(self, folder: Path, backend: Backend, heap: int):
        self._folder, self._backend, self._heap = folder, backend, heap
        self._template = invited.create(folder / "template")
        self._template.deploy()
        self.runs: list[Run] = []
        self._images: set[str] = set()

    def start(self) -> Run:
        """Makes one more board, a copy of the first in all but its MAC address, and starts it."""
        number = len(self.runs) + 1
        board = invited.create(self._folder / f"board{number}")
        shutil.copyfile(self._template.path / "flash.img", board.path / "flash.img")
        email = f"fleet{number}@example.org"
        settings = {"email": email, "ntp": [self._backend.ntp], "log_level": "info"}
        invited.invite(board, self._backend.invite(email), settings, self._backend.ca_der)
        self._images.add(str((board.path / "flash.img").resolve()))
        run = board.start(heap=self._heap)
        self.runs.append(run)
        return run

    def online(self) -> int:
        """How many the backend sees online."""
        return sum(bool(agent.online) for agent in self._backend.agents)

    def bring_up(self, boards: int) -> Iterator[str | None]:
        """Starts so many boards, a few at a time; yields None for each that has come online, or
        why it has not."""
        waiting: list[Run] = []
        while boards or waiting:
            while boards and len(waiting) < _AT_ONCE * (os.cpu_count() or 1):
                waiting.append(self.start())
                boards -= 1
            yield _outcome(waiting.pop(0))

    def stop(self) -> None:
        """Switches all boards off."""
        for run in self.runs:
            with contextlib.suppress(TimeoutError, OSError):
                run.stop()

    def memory(self) -> int | None:
        """Resident bytes of a board's interpreter, on average."""
        found = [_resident(process) for process in processes(self._images)]
        return sum(found) // len(found) if found else None


def _outcome(run: Run) -> str | None:
    try:
        run.wait_log("link: online", _WAIT)
        return None
    except (BoardEnded, TimeoutError) as error:
        return str(error)


def processes(images: set[str]) -> Iterator[Path]:
    """The boards' entries in /proc: a board's process is the one that has its flash open."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            links = {os.readlink(link) for link in (process / "fd").iterdir()}
            if links & images and os.getpid() != int(process.name):
                yield process


def _resident(process: Path) -> int:
    return int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def run_fleet(boards: int, tls: bool, heap: int, told=lambda problem: None) -> Summary:
    """Brings a fleet online and switches it off again; `told` gets what bring_up() yields."""
    with (
        keeper.folder("flyve-fleet-") as folder,
        Backend(tls=tls) as backend,
    ):
        fleet = BoardFleet(folder, backend, heap)
        begin = time.monotonic()
        try:
            failed = 0
            for problem in fleet.bring_up(boards):
                told(problem)
                failed += problem is not None
            backend.wait_for(lambda: fleet.online() >= boards - failed, 5)
            seconds = time.monotonic() - begin
            time.sleep(_SETTLE)
            return Summary(boards, fleet.online(), seconds, fleet.memory())
        finally:
            fleet.stop()


@click.command()
@click.argument("boards", type=click.IntRange(1, _LARGEST), metavar="N")
@click.option("--tls", is_flag=True, help="https, and MQTT over TLS.")
@click.option(
    "--heap",
    default=128,
    show_default=True,
    type=click.IntRange(32, 65536),
    metavar="KIB",
    help="Heap of a board.",
)
def fleet(boards: int, tls: bool, heap: int) -> None:
    """Brings N virtual boards online; exit 1 when the backend does not see all of them."""
    console = Console()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a dozen files for each board
    try:
        firmware.build()
    except (firmware.BuildError, libraries.LibraryError, toolchain.ToolchainError) as error:
        raise click.ClickException(str(error)) from None
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("online", total=boards)

        def told(problem: str | None) -> None:
            progress.advance(bar)
            if problem:
                click.echo(text.lines(f"not online: {problem}"), err=True)

        summary = run_fleet(boards, tls, heap * 1024, told)
    memory = f", {summary.memory / 1048576:.1f} MiB of RAM each" if summary.memory else ""
    console.print(
        f"{summary.online} of {boards} boards online after {summary.seconds:.1f} s"
        f" ({summary.seconds / boards:.2f} s each){memory}",
        soft_wrap=True,
    )
    if summary.online < boards:
        raise click.ClickException(f"{boards - summary.online} boards are not online")
