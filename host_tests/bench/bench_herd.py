"""1,000 agents that lose their broker in the same moment: who connects when, in simulated time."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from host_tests.bench.rig import SCRIPTS
from host_tests.interpreter import Interpreter
from tools.bench import Row

_AGENTS = 1000
_SPREAD = 40_000  # ms: the default of the setting reconnect_spread
_BUDGET = 0.05
_SEEDS = 20
_OUTAGES = (2, 60)  # seconds; the first is a restart
_RATES = (20, 50)  # connections that a slow broker accepts in a second


def rows() -> Iterator[Row]:
    """The highest share of the fleet in any second, and how long a slow broker keeps us out."""
    with Interpreter(SCRIPTS, deadline=60) as upy:
        for outage in _OUTAGES:
            shares = [share(_run(upy, outage, 0, seed)[0]) for seed in range(_SEEDS)]
            peer = share(_run(upy, outage, 0, 0, True)[0])
            worst = max(shares)
            yield Row(
                f"{_AGENTS:,} agents after a broker was away for {outage} s: most in one second",
                f"{statistics.median(shares):.1%} (worst of {_SEEDS} runs {worst:.1%})",
                f"<= {_BUDGET:.0%}",
                worst <= _BUDGET,
                f"{peer:.0%} (retry each 30 s, as the Android agent)",
                worst / peer,
            )
        for rate in _RATES:
            ours = _run(upy, _OUTAGES[0], rate, 0)[1]
            peer = _run(upy, _OUTAGES[0], rate, 0, True)[1]
            yield Row(
                f"... until all are back at a broker that takes {rate} a second",
                f"{ours / 1000:,.0f} s",
                peer=f"{peer / 1000:,.0f} s (retry each 30 s)",
                ratio=ours / peer,
            )


def _run(upy: Interpreter, outage: int, rate: int, seed: int, fixed: bool = False):
    return upy.call("herd", "run", _AGENTS, _SPREAD, outage * 1000, rate, seed, fixed)


def share(attempts: list[int]) -> float:
    """The largest part of the fleet that tried within any 1,000 ms."""
    first = most = 0
    for last, moment in enumerate(attempts):
        while attempts[first] <= moment - 1000:
            first += 1
        most = max(most, last - first + 1)
    return most / _AGENTS
