"""Agents that lose their broker in the same moment: who connects when, in simulated time, by the
firmware's own backoff."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from flyve_mdm.measure.benches.rig import SCRIPTS
from flyve_mdm.measure.benches.row import Row
from flyve_mdm.micropython.process import Interpreter

_AGENTS = 1000
_SPREAD = 40_000  # ms: the default of the setting reconnect_spread
_BUDGET = 0.05
_SEEDS = 20
_OUTAGES = (2, 60)  # seconds; the first is a restart
_RATES = (20, 50)  # connections that a slow broker accepts in a second
# Large fleets: agents, connections a second. A setting of the fleet follows from the two: the
# first tries must be spread over as long as the broker needs for all.
_FLEETS = ((100_000, 1000), (100_000, 5000), (1_000_000, 5000))
_SHARE_OF_RATE = 0.8


def rows() -> Iterator[Row]:
    """The highest share of the fleet in any second, and how long a slow broker keeps us out."""
    with Interpreter(SCRIPTS, heap="900M", deadline=120) as upy:
        for outage in _OUTAGES:
            runs = (_run(upy, _AGENTS, outage, seed=seed) for seed in range(_SEEDS))
            shares = [most / _AGENTS for _, _, most in runs]
            peer = _run(upy, _AGENTS, outage, fixed=True)[2] / _AGENTS
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
            yield _all_back(upy, _AGENTS, rate, _SPREAD)
        for agents, rate in _FLEETS:
            spread = max(_SPREAD, round(agents / rate / _SHARE_OF_RATE) * 1000)
            yield _all_back(upy, agents, rate, spread)


def _all_back(upy: Interpreter, agents: int, rate: int, spread: int) -> Row:
    """How long it takes, beside what the broker itself needs for so many connections."""
    _, ours, most = _run(upy, agents, rate=rate, spread=spread)
    # Tries at the same moments all fail but `rate`: round after round, 30 s apart.
    peer = 30_000 * -(-agents // rate)
    return Row(
        f"{agents:,} agents, a broker that takes {rate:,} a second, reconnect_spread "
        f"{spread // 1000} s: until all are back",
        f"{ours / 1000:,.0f} s, the broker alone {agents / rate:,.0f} s, "
        f"at most {most / agents:.1%} in one second",
        peer=f"{peer / 1000:,.0f} s (retry each 30 s, reckoned)",
        ratio=ours / peer,
    )


def _run(
    upy: Interpreter,
    agents: int,
    outage: int = _OUTAGES[0],
    rate: int = 0,
    spread: int = _SPREAD,
    seed: int = 0,
    fixed: bool = False,
) -> list:
    return upy.call("herd", "run", agents, spread, outage * 1000, rate, seed, fixed)
