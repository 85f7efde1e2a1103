"""Downloads beside bare loops over the same library and filesystem, and beside curl."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

from flyve_mdm import keeper
from flyve_mdm.measure.bench import Row
from host_tests.download.ground import Site, blank_board, content

_SCRIPT = Path(__file__).parent / "inside" / "fetch.py"
_RUNS = 5
_SIZE = 1_000_000
_WEAR = ((65_536, "1.10"), (1_000_000, "1.10"), (3_500_000, "1.15"))
_CONNECTIONS = 4  # of 1 MB: with TLS each costs a board a second
_WAYS = ("agent", "careful", "plain")


def rows() -> Iterator[Row]:
    """Throughput, flash wear and connections of a download."""
    with keeper.folder("flyve-bench-") as folder:
        template = blank_board(folder / "template", 4 << 20)
        site = Site(folder / "board", template)
        try:
            site.board.write("/main.py", _SCRIPT.read_bytes())
            site.save()
            yield from _throughput(site, folder)
            yield from _wear(site)
        finally:
            site.close()


def _run(site: Site, way: str) -> float:
    """Seconds that one way takes, on flash as it was at first."""
    site.restore()
    params = {
        "url": site.backend.url,
        "token": site.token,
        "endpoint": f"PluginFlyvemdmFile/{site.file.id}",
        "way": way,
    }
    site.board.write("/params.json", json.dumps(params))
    site.finish(120)
    took = [line for line in site.log if line.startswith("took ")]
    if not took or site.stored("/bench.bin") != site.file.data:
        raise RuntimeError("\n".join(site.log))
    return int(took[0][5:]) / 1e6


def _throughput(site: Site, folder: Path) -> Iterator[Row]:
    site.offer(content(_SIZE))
    times: dict[str, list[float]] = {way: [] for way in (*_WAYS, "curl")}
    for _ in range(_RUNS):
        for way in _WAYS:
            times[way].append(_run(site, way))
        if shutil.which("curl"):
            times["curl"].append(_curl(site, folder))
    speed = {way: _SIZE / statistics.median(took) / 1e6 for way, took in times.items() if took}
    ours = speed["agent"]
    yield _beside(ours, speed["careful"], "a loop that hashes and flushes", 0.8)
    yield _beside(ours, speed["plain"], "a plain loop")
    if "curl" in speed:
        yield _beside(ours, speed["curl"], "curl")
    site.backend.requests.clear()
    _run(site, "agent")
    seen = [r for r in site.backend.requests if "PluginFlyvemdmFile" in r.path]
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


def _curl(site: Site, folder: Path) -> float:
    base, session = site.backend.url, f"initSession?user_token={site.token}"
    asked = subprocess.run(
        ["curl", "-s", f"{base}/{session}"], capture_output=True, check=True, timeout=20
    )
    token = json.loads(asked.stdout)["session_token"]
    done = subprocess.run(
        ["curl", "-s", "-o", folder / "curl.bin", "-w", "%{time_total}",
         "-H", "Accept: application/octet-stream", "-H", f"Session-Token: {token}",
         f"{base}/PluginFlyvemdmFile/{site.file.id}"],
        capture_output=True, check=True, timeout=20, text=True,
    )  # fmt: skip
    return float(done.stdout)


def _wear(site: Site) -> Iterator[Row]:
    for size, budget in _WEAR:
        site.offer(content(size))
        figures = {}
        for way in ("agent", "careful"):
            worst = 0.0
            for _ in range(3):
                _run(site, way)
                worst = max(worst, site.run.wear.programmed / size)
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
