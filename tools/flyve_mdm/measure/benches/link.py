"""The link: QoS 1 publishes per second, how soon a dead broker is noticed, and the way back."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from flyve_mdm.board.run import Run
from flyve_mdm.measure.benches.rig import SCRIPTS, Rig, broker
from flyve_mdm.measure.benches.row import Row
from flyve_mdm.micropython.board_port import BoardPort
from flyve_mdm.micropython.process import Interpreter

_RUNS = 5
# As on a board. In the unix port's own 2 MiB two thirds of the time are MicroPython's search for
# room for the frames of functions, see docs/performance.md.
_HEAP = "128K"
_MESSAGES = 20_000
_SLOW = 22  # messages of the library, 45 ms each
_DURABLE = 1000
_RAW = 2.5
_A_SECOND = 3000  # durable ones
_BARE = 100
_KEEPALIVE = 5
_CALM = 1.5  # seconds after which a connection counts as good
_BOARDS = 3  # at once; the last of them counts


def rows() -> Iterator[Row]:
    """Rates first, then three boards whose broker hangs and restarts."""
    yield from _rates()
    yield from _outages()


def _rates() -> Iterator[Row]:
    rates: dict[str, list[float]] = {"link": [], "raw": [], "bare": []}
    with broker() as port, Interpreter(SCRIPTS, _HEAP, deadline=60) as upy:
        for _ in range(_RUNS):
            for name, found in rates.items():
                count = _SLOW if name == "bare" else _MESSAGES
                found.append(upy.call("publish", name, "127.0.0.1", port, count))
                upy.restart()
    link, raw, bare = (statistics.median(rates[name]) for name in ("link", "raw", "bare"))
    what = "QoS 1 publishes through the link, from RAM"
    for name, peer, least in (("raw one-write loop", raw, _RAW), ("bare umqtt", bare, _BARE)):
        yield Row(
            what, f"{link:,.0f}/s", f">= {least:g} x {name}", link >= least * peer,
            f"{peer:,.0f}/s ({name})", link / peer,
        )  # fmt: skip
    yield _durable()


def _durable() -> Row:
    """On littlefs on an image file: what the code costs, without the time that flash takes."""
    rates: dict[str, list[float]] = {"durable": [], "link": []}
    with broker() as port, Interpreter(SCRIPTS, deadline=60, port=BoardPort) as upy:
        for _ in range(_RUNS):
            for name, found in rates.items():
                found.append(upy.call("publish", name, "127.0.0.1", port, _DURABLE))
                upy.restart()
    durable, ram = (statistics.median(found) for found in rates.values())
    return Row(
        "... durable, on a virtual board's flash",
        f"{durable:,.0f}/s", f">= {_A_SECOND:,}/s", durable >= _A_SECOND,
        f"{ram:,.0f}/s (there, from RAM)", durable / ram,
    )  # fmt: skip


def _outages() -> Iterator[Row]:
    with Rig() as rig:
        runs: list[Run] = []
        try:
            for _ in range(_BOARDS):
                runs.append(rig.board(keepalive=_KEEPALIVE).start())
            for run in runs:
                run.wait_log("link: online", 20)
            late = _silence(rig, runs)
            limit = 1.5 * _KEEPALIVE
            yield Row(
                f"dead link noticed, keepalive {_KEEPALIVE} s (slowest of {_BOARDS})",
                f"{late:.1f} s", f"<= {limit} s", late <= limit, "umqtt.simple: never",
            )  # fmt: skip
            time.sleep(_CALM)  # so that it is no broker that throws us out at once
            told, back = _restart(rig, runs)
            yield Row("a broker's end noticed", f"{told:.1f} s", f"<= {limit} s", told <= limit)
            yield Row(
                f"online again after a broker's restart, reconnect_spread 0 (slowest of {_BOARDS})",  # noqa: E501
                f"{back:.1f} s",
                peer="umqtt.simple: never",
            )
        finally:
            for run in runs:
                run.stop()


def _silence(rig: Rig, runs: list[Run]) -> float:
    """Seconds from the broker's last word until the last board knows; all are online after."""
    # Their second birth, a second after the first, would tell them sooner or later than a ping.
    lines = [len(run.log) for run in runs]
    begin = time.monotonic()
    rig.backend.broker.hang()
    try:
        for run, line in zip(runs, lines, strict=True):
            run.wait_log("link: offline", 4 * _KEEPALIVE, line)
        late = time.monotonic() - begin
    finally:
        rig.backend.broker.resume()
    for run, line in zip(runs, lines, strict=True):
        run.wait_log("link: online", 60, line)
    return late


def _restart(rig: Rig, runs: list[Run]) -> tuple[float, float]:
    """Seconds from the broker's end until the last board knows, and until it is online again."""
    lines = [len(run.log) for run in runs]
    begin = time.monotonic()
    rig.backend.broker.stop()
    for run, line in zip(runs, lines, strict=True):
        run.wait_log("link: offline", 60, line)
    told = time.monotonic() - begin
    rig.backend.broker.start()
    for run, line in zip(runs, lines, strict=True):
        run.wait_log("link: online", 60, line)
    return told, time.monotonic() - begin
