"""`flyve bench`: the figures of the agent beside their peers, each pair measured in one run.

A file host_tests/bench/bench_*.py has `rows()`, which yields Row objects.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import click
from rich.console import Console
from rich.table import Table

from tools import BUILD, ROOT

_REPORT = BUILD / "bench.json"


@dataclass
class Row:
    """One figure: `value` against `budget` (both texts with units), `met`, and the same of a
    `peer`; `ratio` is ours to the peer's, in the direction that the budget names."""

    what: str
    value: str
    budget: str = ""
    met: bool | None = None
    peer: str = ""
    ratio: float | None = None


def benches() -> list[str]:
    """The names of the bench files, without `bench_` and the ending."""
    folder = ROOT / "host_tests" / "bench"
    return sorted(path.stem.removeprefix("bench_") for path in folder.glob("bench_*.py"))


def measure(names: list[str]) -> Iterator[Row]:
    """Runs the benches one after the other and yields their rows as they come."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    for name in names:
        yield from importlib.import_module(f"host_tests.bench.bench_{name}").rows()


@click.command()
@click.argument("names", nargs=-1)
def bench(names: tuple[str, ...]) -> None:
    """Measures speed and memory, each beside its peer; NAMES choose single benches."""
    known = benches()
    for name in names:
        if name not in known:
            raise click.ClickException(f"no bench {name}; there are: {', '.join(known)}")
    console = Console()
    rows = []
    with console.status("measuring"):
        for row in measure(list(names) or known):
            rows.append(row)
            console.log(f"{row.what}: {row.value}", highlight=False)
    console.print(_table(rows))
    _REPORT.parent.mkdir(exist_ok=True)
    _REPORT.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    short = [row.what for row in rows if row.met is False]
    if short:
        raise click.ClickException(f"short of the budget: {'; '.join(short)}")


def _table(rows: list[Row]) -> Table:
    table = Table("what", "measured", "budget", "", "peer in the same run", "ratio")
    marks = {True: "ok", False: "[red]short[/]", None: ""}
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        table.add_row(row.what, row.value, row.budget, marks[row.met], row.peer, ratio)
    return table
