"""jsonpick: heap and speed on full sessions, beside json.loads and a loop over the bytes."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path

from flyve_mdm import keeper
from flyve_mdm.measure.benches.rig import KIB, SCRIPTS, kib
from flyve_mdm.measure.benches.row import Row
from flyve_mdm.micropython.process import Interpreter

_SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
_GROWTH = 4 * KIB
_PEER = 192 * KIB  # larger ones take json.loads a heap that no board has
_SPEED = 1_000_000
_RUNS = 5


def rows() -> Iterator[Row]:
    """Growth at each size, then speed."""
    with (
        keeper.folder("flyve-bench-") as folder,
        Interpreter(SCRIPTS, heap="24M", deadline=60) as upy,
    ):
        path = str(folder / "session.json")
        upy.call("pick", "document", path, _PEER)
        peer = upy.call("pick", "growth", path, "json.loads")
        for size in _SIZES:
            upy.call("pick", "document", path, size)
            grown = upy.call("pick", "growth", path, "jsonpick")
            yield Row(
                f"heap that jsonpick takes for {size:,} bytes",
                f"{grown:,} bytes",
                f"<= {_GROWTH:,} bytes",
                grown <= _GROWTH,
                f"{kib(peer)} (json.loads for {kib(_PEER)})",
                grown / peer,
            )
        upy.call("pick", "document", path, _SPEED)
        yield from _speed(upy, path, Path(path).stat().st_size)


def _speed(upy: Interpreter, path: str, size: int) -> Iterator[Row]:
    took: dict[str, list[int]] = {"jsonpick": [], "json.loads": [], "byte loop": []}
    for _ in range(_RUNS):
        for way, times in took.items():
            times.append(upy.call("pick", "speed", path, way))
    speeds = {way: size / statistics.median(times) for way, times in took.items()}
    ours = speeds["jsonpick"]
    for way in ("json.loads", "byte loop"):
        yield Row(
            "speed of jsonpick on 1 MB",
            f"{ours:.1f} MB/s",
            ">= json.loads" if way == "json.loads" else "",
            ours >= speeds[way] if way == "json.loads" else None,
            f"{speeds[way]:.1f} MB/s ({way})",
            ours / speeds[way],
        )
