"""A whole life in a small heap: the smallest that it passes in, and what comes and goes in it."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator

from flyve_mdm.board.board import VirtualBoard
from flyve_mdm.board.log import BoardEnded
from flyve_mdm.measure.benches.rig import KIB, Rig, kib, smallest
from flyve_mdm.measure.benches.row import Row

_HEAP = 76 * KIB
_DOCUMENT = 1_000_000  # bytes of getFullSession
_SWITCHES = {"full_session_size": _DOCUMENT, "full_session_seed": 1, "default_profile": 4}
_FILE = 100_000
_WAIT = 10
_STARVED = r"MemoryError|memory allocation|out of memory|bytes of heap are left"
_CHANGES = 10_000 if os.environ.get("FLYVE_SOAK") == "1" else 2000


def rows() -> Iterator[Row]:
    """Plain and TLS, then the random phase changes."""
    for tls in (False, True):
        with Rig(tls, **_SWITCHES) as rig:
            found = smallest(lambda heap: _lives(rig, heap), 56 * KIB, 144 * KIB, 4 * KIB)
        yield Row(
            f"smallest heap for a whole life, {'https' if tls else 'http'}",
            kib(found) if found else "more than 144 KiB",
            f"<= {kib(_HEAP)}",
            found is not None and found <= _HEAP,
        )
    with Rig() as rig:
        yield _changes(rig)


def _lives(rig: Rig, heap: int) -> bool:
    """Whether an agent enrolls, obeys commands, gets a file and unenrolls in that heap, without
    ever being short of memory."""
    board = rig.board()
    with board.start(heap=heap) as run:
        try:
            run.wait_log(rf"link: online|{_STARVED}", _WAIT)
            done = _obeys(rig)
        except (TimeoutError, BoardEnded):
            done = False
        return done and not any(re.search(_STARVED, line) for line in run.log)


def _obeys(rig: Rig) -> bool:
    backend = rig.backend
    if not backend.wait_for(lambda: any(agent.online for agent in backend.agents), 2):
        return False
    agent = next(agent.id for agent in backend.agents if agent.online)
    data = random.Random(agent).randbytes(_FILE)
    return bool(
        backend.admin.ping(agent)
        and backend.admin.geolocate(agent)
        and backend.admin.inventory(agent)
        and backend.tasks.wait_task(backend.tasks.deploy_file(agent, data, name="f.bin"), _WAIT)
        == "done"
        and backend.admin.unenroll(agent)
    )


def _changes(rig: Rig) -> Row:
    board: VirtualBoard = rig.board()
    rig.beside(board, "phases", _CHANGES, 1)
    with board.start(heap=_HEAP) as run:
        found = run.wait_log(r"^phases: (\d+) (\S+)", 120)
    failed = int(found[1])
    where = f", in {found[2]}" if failed else ""
    return Row(
        f"{_CHANGES:,} random phase changes in {kib(_HEAP)}: short of memory",
        f"{failed:,} times{where}",
        "0 times",
        failed == 0,
    )
