"""Downloads beside bare loops over the same library and filesystem, and beside curl."""

from __future__ import annotations

import json
import random
import shutil
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

from flyve_mdm import keeper
from flyve_mdm.backend import model
from flyve_mdm.backend.server import Backend
from flyve_mdm.board.board import VirtualBoard
from flyve_mdm.build import firmware
from flyve_mdm.measure.benches.rig import SCRIPTS
from flyve_mdm.measure.benches.row import Row

_RUNS = 5
_SIZE = 1_000_000
_WEAR = ((65_536, "1.02"), (1_000_000, "1.02"), (3_500_000, "1.02"))
_CONNECTIONS = 4  # of 1 MB: with TLS each costs a board a second
_WAYS = ("agent", "careful", "plain")


def rows() -> Iterator[Row]:
    """Throughput, flash wear and connections of a download."""
    with keeper.folder("flyve-bench-") as folder, Backend() as backend:
        fetcher = Fetcher(folder, backend)
        yield from _throughput(fetcher, folder)
        yield from _wear(fetcher)


class Fetcher:
    """A board whose main.py is inside/fetch.py, beside a backend where it has an account."""

    def __init__(self, folder: Path, backend: Backend) -> None:
        self.backend = backend
        self.token = model.token(40)
        account = {"login": "agent", "emails": [], "profiles": [model.DEVICE]}
        backend.state.add("users", model.User, api_token=self.token, **account)
        self.board = VirtualBoard.create(folder / "board", flash_size=4 << 20)
        self.board.deploy()
        script = (SCRIPTS / "fetch.py").read_text()
        self.board.write("/main.py", firmware.follow(script).encode())
        self._image, self._first = self.board.path / "flash.img", folder / "first.img"
        shutil.copyfile(self._image, self._first)

    def offer(self, size: int) -> None:
        """Uploads a file, which the board is then to fetch."""
        self.file = self.backend.tasks.add_file(random.Random(size).randbytes(size), "bench.bin")

    def run(self, way: str) -> float:
        """Seconds that one way takes, on flash as it was at first."""
        shutil.copyfile(self._first, self._image)
        params = {
            "url": self.backend.url,
            "token": self.token,
            "endpoint": f"PluginFlyvemdmFile/{self.file.id}",
            "way": way,
        }
        self.board.write("/params.json", json.dumps(params))
        with self.board.start(heap="100K") as run:
            run.wait(120)
        self.wear = run.wear
        took = [line for line in run.log if line.startswith("took ")]
        if not took or self.board.read("/bench.bin") != self.file.data:
            raise RuntimeError("\n".join(run.log))
        return int(took[0][5:]) / 1e6


def _throughput(fetcher: Fetcher, folder: Path) -> Iterator[Row]:
    fetcher.offer(_SIZE)
    times: dict[str, list[float]] = {way: [] for way in (*_WAYS, "curl")}
    for _ in range(_RUNS):
        for way in _WAYS:
            times[way].append(fetcher.run(way))
        if shutil.which("curl"):
            times["curl"].append(_curl(fetcher, folder))
    speed = {way: _SIZE / statistics.median(took) / 1e6 for way, took in times.items() if took}
    ours = speed["agent"]
    yield _beside(ours, speed["careful"], "a loop that hashes and flushes", 0.95)
    yield _beside(ours, speed["plain"], "a plain loop")
    if "curl" in speed:
        yield _beside(ours, speed["curl"], "curl")
    fetcher.backend.requests.clear()
    fetcher.run("agent")
    seen = [r for r in fetcher.backend.requests if "PluginFlyvemdmFile" in r.path]
    parts = sum("octet-stream" in r.headers.get("accept", "") for r in seen)
    yield Row(
        "download of 1 MB: connections for its bytes",
        f"{parts}, and {len(seen) - parts} for its JSON form",
        f"<= {_CONNECTIONS}",
        parts <= _CONNECTIONS,
    )


def _beside(ours: float, theirs: float, name: str, least: float | None = None) -> Row:
    return Row(
        f"download of 1 MB, beside {name}",
        f"{ours:.1f} MB/s",
        f">= {least:.0%} of it" if least else "",
        ours >= least * theirs if least else None,
        f"{theirs:.1f} MB/s",
        ours / theirs,
    )


def _curl(fetcher: Fetcher, folder: Path) -> float:
    base, session = fetcher.backend.url, f"initSession?user_token={fetcher.token}"
    asked = subprocess.run(
        ["curl", "-s", f"{base}/{session}"], capture_output=True, check=True, timeout=20
    )
    token = json.loads(asked.stdout)["session_token"]
    done = subprocess.run(
        ["curl", "-s", "-o", folder / "curl.bin", "-w", "%{time_total}",
         "-H", "Accept: application/octet-stream", "-H", f"Session-Token: {token}",
         f"{base}/PluginFlyvemdmFile/{fetcher.file.id}"],
        capture_output=True, check=True, timeout=20, text=True,
    )  # fmt: skip
    return float(done.stdout)


def _wear(fetcher: Fetcher) -> Iterator[Row]:
    for size, budget in _WEAR:
        fetcher.offer(size)
        figures = {}
        for way in ("agent", "careful"):
            worst = 0.0
            for _ in range(3):
                fetcher.run(way)
                worst = max(worst, fetcher.wear.programmed / size)
            figures[way] = worst
        ours, theirs = figures["agent"], figures["careful"]
        yield Row(
            f"download of {size:,} bytes: bytes programmed per byte",
            f"{ours:.3f}",
            f"<= {budget}",
            ours <= float(budget),
            f"{theirs:.3f}, the loop that hashes and flushes",
            ours / theirs,
        )
