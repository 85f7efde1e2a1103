"""Heap: the smallest that an enrollment passes in, what the agent holds when online and idle,
and whether that grows with reconnects."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator

import requests

from flyve_mdm.backend.server import Backend
from flyve_mdm.board import launcher
from flyve_mdm.board.board import VirtualBoard
from flyve_mdm.board.log import BoardEnded
from flyve_mdm.build import pure
from flyve_mdm.measure.benches.rig import (
    KIB,
    SCRIPTS,
    Rig,
    broker,
    environment,
    kib,
    smallest,
)  # fmt: skip
from flyve_mdm.measure.benches.row import Row
from flyve_mdm.measure.fleet import processes
from flyve_mdm.micropython.process import Interpreter

_DOCUMENT = 1_000_000  # bytes of getFullSession
_SWITCHES = {"full_session_size": _DOCUMENT, "full_session_seed": 1, "default_profile": 4}
_LIFE = 76 * KIB
_IDLE = 50 * KIB
_GROWTH = 256  # bytes: one more string or two, not one for each reconnect
_RECONNECTS = 5000 if os.environ.get("FLYVE_SOAK") == "1" else 200
# What happens first. An agent that was short of memory may pass at a later try; here it failed.
_END = r"(link: online)|MemoryError|memory allocation|out of memory|bytes of heap are left"
_PEER = """
import urequests
found = urequests.get("{}").json()
print("done", len(found))
"""


def rows() -> Iterator[Row]:
    """Plain and TLS."""
    for tls in (False, True):
        with Rig(tls, **_SWITCHES) as rig:
            yield _enrollment(rig, "https" if tls else "http")
    for tls in (False, True):
        with Rig(tls) as rig:
            yield from _online(rig, tls)


def _enrollment(rig: Rig, scheme: str) -> Row:
    found = smallest(lambda heap: _enrolls(rig.board(), heap), 32 * KIB, 160 * KIB, 4 * KIB)
    what = f"smallest heap for an enrollment with a 1 MB getFullSession, {scheme}"
    budget = f"<= {kib(_LIFE)}"
    if found is None:
        return Row(what, "more than 160 KiB", budget, False)
    peer = ratio = None
    if scheme == "http":  # the library would not verify https
        url = _document(rig.backend)
        peer = smallest(lambda heap: _reads(url, heap), 1 << 20, 16 << 20, 256 * KIB)
        ratio = found / peer
    told = f"{kib(peer)} (urequests.get().json(), nothing else)" if peer else ""
    return Row(what, kib(found), budget, found <= _LIFE, told, ratio)


def _enrolls(board: VirtualBoard, heap: int) -> bool:
    with board.start(heap=heap) as run:
        try:
            return bool(run.wait_log(_END, 20)[1])
        except (TimeoutError, BoardEnded):
            return False


def _document(backend: Backend) -> str:
    """The URL of the document, in a session of its own."""
    invited = pure.load("jobs.deeplink").parse(backend.invite("peer@example.org"))
    token = {"Authorization": f"user_token {invited.user_token}"}
    answer = requests.get(f"{backend.url}/initSession", headers=token, timeout=10)
    answer.raise_for_status()
    return f"{backend.url}/getFullSession?session_token={answer.json()['session_token']}"


def _reads(url: str, heap: int) -> bool:
    argv = launcher.command("-X", f"heapsize={heap}", "-c", _PEER.format(url))
    done = subprocess.run(
        argv, check=False, timeout=20,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment(),
    )  # fmt: skip
    return done.stdout.startswith("done")


def _online(rig: Rig, tls: bool) -> Iterator[Row]:
    board = rig.board(_RECONNECTS, log_level="error")
    with board.start() as run:
        before = int(run.wait_log(r"^bench: idle (\d+)", 20)[1])
        sockets = _descriptors(board)
        since = len(run.log)
        after = int(run.wait_log(r"^bench: idle (\d+)", 60 + _RECONNECTS / 5, since)[1])
        grown = after - before
        left = _descriptors(board)
        seen = [re.search(r"^bench: between (\d+)", line) for line in run.log]
    how = "TLS" if tls else "plain"
    if tls:
        peer, ratio = "", None
    else:
        with broker() as port, Interpreter(SCRIPTS) as upy:
            used = upy.call("bare", "memory", "127.0.0.1", port)
        peer, ratio = f"{kib(used)} (bare umqtt.simple: MQTT alone)", before / used
    yield Row(
        f"heap in use, online and idle, code included, {how}",
        kib(before), f"<= {kib(_IDLE)}", before <= _IDLE, peer, ratio,
    )  # fmt: skip
    highest = max([int(m[1]) for m in seen if m], default=after) - before
    yield Row(
        f"... after {_RECONNECTS:,} reconnects, {how}",
        f"{grown:+,} bytes (between them at most {highest:+,}), open files {left - sockets:+d}",
        f"<= {_GROWTH} bytes, +0",
        grown <= _GROWTH and left == sockets,
    )


def _descriptors(board: VirtualBoard) -> int:
    """How many files and sockets the board's process has open."""
    (process,) = processes({str((board.path / "flash.img").resolve())})
    return len(list((process / "fd").iterdir()))
