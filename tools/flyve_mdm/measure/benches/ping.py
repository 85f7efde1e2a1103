"""Ping while a file comes in: how long the backend waits for the answer, also while the server of
the file sends no byte."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

from flyve_mdm.measure.benches.rig import Rig
from flyve_mdm.measure.benches.row import Row

_BUDGET = 1.0
_PINGS = 20
_SIZE = 600_000
_CHUNK = 65536
_SILENCE = 4.0  # seconds in the middle of a part
_BACKEND = "the backend waits 10 s"


def rows() -> Iterator[Row]:
    """The slowest of the Pings in each case, plain and TLS."""
    for tls in (False, True):
        how = "TLS" if tls else "plain"
        with Rig(tls) as rig:
            board = rig.board(chunk=_CHUNK)
            # The heap is enough for both connections: a board that is short of memory takes turns.
            with board.start(heap=192 * 1024) as run:
                run.wait_log("link: online", 30)
                agent = rig.backend.agents[0].id
                rig.backend.wait_for(lambda: rig.backend.agents[0].online, 10)
                idle = max(_ping(rig, agent) for _ in range(5))
                yield _row(f"Ping answered during a download, {how}", _during(rig, agent), idle)
                yield _row(f"... while the server sends no byte, {how}", _silent(rig, agent), idle)


def _row(what: str, times: list[float], idle: float) -> Row:
    worst = max(times, default=float("inf"))
    return Row(
        what,
        f"slowest of {len(times)}: {worst * 1000:.0f} ms",
        f"<= {_BUDGET:g} s",
        bool(times) and worst <= _BUDGET,
        f"{idle * 1000:.0f} ms (the same, idle); {_BACKEND}",
        worst / idle,
    )


def _ping(rig: Rig, agent: int) -> float:
    begin = time.monotonic()
    if not rig.backend.admin.ping(agent, 10):
        raise RuntimeError("no answer to a Ping within 10 s")
    return time.monotonic() - begin


def _during(rig: Rig, agent: int) -> list[float]:
    """Pings from the first byte of a file to its last."""
    with _Download(rig, agent) as download:
        times = []
        while not download.over and len(times) < _PINGS:
            times.append(_ping(rig, agent))
        return times


def _silent(rig: Rig, agent: int) -> list[float]:
    """Pings while a part of the file stalls."""
    seen = _parts(rig)
    with _Download(rig, agent):
        rig.backend.wait_for(lambda: _parts(rig) > seen, 10)  # its JSON form is over
        endpoint = "PluginFlyvemdmFile"
        fault = rig.backend.fault(endpoint, "stall", seconds=_SILENCE, at=_CHUNK // 2, times=1)
        if not rig.backend.wait_for(lambda: fault.times == 0, 10):
            raise RuntimeError("the download was over before it stalled")
        times = []
        end = time.monotonic() + _SILENCE - 0.5
        while time.monotonic() < end and len(times) < _PINGS:
            times.append(_ping(rig, agent))
            time.sleep(0.05)
        return times


def _parts(rig: Rig) -> int:
    """How many requests for bytes of a file there were."""
    return sum("octet-stream" in request.headers.get("accept", "") for request in
               list(rig.backend.requests))  # fmt: skip


class _Download:
    """A file on its way to the agent; leaving waits for its end."""

    def __init__(self, rig: Rig, agent: int):
        data = random.Random(_SIZE).randbytes(_SIZE)
        self._rig = rig
        self._task = rig.backend.tasks.deploy_file(agent, data, name="ping.bin")
        self._waiter = threading.Thread(target=self._wait)
        self._waiter.start()
        self.over = False

    def _wait(self) -> None:
        self._status = self._rig.backend.tasks.wait_task(self._task, 60)
        self.over = True

    def __enter__(self) -> _Download:
        return self

    def __exit__(self, *_) -> None:
        self._waiter.join()
        if self._status != "done":
            raise RuntimeError(f"the download ended as {self._status}")
