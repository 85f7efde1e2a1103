"""How often littlefs reads the flash: for an import on demand, a start, an inventory."""

from __future__ import annotations

import time
from collections.abc import Iterator

from flyve_mdm import ROOT
from flyve_mdm.build import firmware
from flyve_mdm.measure.benches.rig import Rig
from flyve_mdm.measure.benches.row import Row

_IMPORT = 400
_INVENTORY = 3  # seconds
_SLOW = 1000  # microseconds that a read takes, many times as long as on a chip
_BARE = 5  # modules in the folder of the bare import


def rows() -> Iterator[Row]:
    """The most that a job's module takes beside a bare import; then times on a slow flash."""
    with Rig() as rig:
        found = _imports(rig)
        job = max(_jobs(), key=found.__getitem__)
        yield Row(
            f"flash reads of an import on demand (the most: {job})",
            f"{found[job]}",
            f"<= {_IMPORT}",
            found[job] <= _IMPORT,
            f"{found['bare']} (a bare import from a directory of {_BARE})",
            found[job] / found["bare"],
        )
        yield Row("flash reads for the agent's modules at a start", f"{found['start']:,}")
        yield Row("flash reads of a statvfs", f"{found['statvfs']:,}")
        yield from _inventory(rig)


def _jobs() -> list[str]:
    """The modules of flyve/jobs that an agent imports by name."""
    folder = ROOT / "firmware" / "flyve" / "jobs"
    return sorted(path.stem for path in folder.glob("[a-z]*.py"))


def _imports(rig: Rig) -> dict[str, int]:
    board = rig.board(beside="reads")
    module = (firmware.TREE / "lib" / "urequests.mpy").read_bytes()
    bare = {f"/bare/m{n}.mpy": module for n in range(_BARE)}
    main = f"import reads\nreads.imports({_jobs()!r}, 'bare.m{_BARE // 2}')\n"
    board.change({**bare, "/main.py": main.encode()})
    with board.start(heap=1 << 20) as run:
        run.wait_log(r"^reads: statvfs", 30)
    words = [line.split() for line in run.log if line.startswith("reads: ")]
    return {name: int(count) for _, name, count in words}


def _inventory(rig: Rig) -> Iterator[Row]:
    board = rig.board()
    with board.start() as run:
        run.wait_log("link: online", 30)
    with board.start(read_us=_SLOW) as run:
        run.wait_log("link: online", 120)
        agent = rig.backend.agents[-1]
        rig.backend.wait_for(lambda: agent.online, 10)
        reads, begin = run.wear.reads, time.monotonic()
        answered = rig.backend.admin.inventory(agent.id, 60)
        took, reads = time.monotonic() - begin, run.wear.reads - reads
    yield Row(
        f"inventory answered, {_SLOW / 1000:g} ms a flash read",
        f"{took:.1f} s, {reads:,} reads",
        f"<= {_INVENTORY} s",
        answered and took <= _INVENTORY,
        "the backend waits 10 s",
    )
