"""`flyve bench`: the figures of the agent beside their peers, each pair measured in one run.

A module of benches/ has `rows()`, which yields Row objects.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from rich.console import Console

from flyve_mdm import BUILD, ROOT, need_checkout, tables
from flyve_mdm.build import firmware, libraries, toolchain

_REPORT = BUILD / "bench.json"
_PAGE = ROOT / "docs" / "performance.md"
_HEADING = ("what", "measured", "budget", "met", "peer in the same run", "ratio")


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
    """The names of the benches."""
    found = {path.stem for path in (Path(__file__).parent / "benches").glob("*.py")}
    return sorted(found - {"__init__", "rig"})


def measure(names: list[str]) -> Iterator[Row]:
    """Runs the benches one after the other and yields their rows as they come."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    os.environ.setdefault("FLYVE_SEED", "1")  # what the tests draw by chance is the same each time
    for name in names:
        yield from importlib.import_module(f"flyve_mdm.measure.benches.{name}").rows()


@click.command()
@click.argument("names", nargs=-1)
@click.option("--write", is_flag=True, help="Also fill the table of docs/performance.md.")
def bench(names: tuple[str, ...], write: bool) -> None:
    """Measures speed and memory, each beside its peer; NAMES choose single benches."""
    need_checkout("bench")
    known = benches()
    if write and names:
        raise click.UsageError("--write needs all rows: name no bench")
    for name in names:
        if name not in known:
            raise click.ClickException(f"no bench {name}; there are: {', '.join(known)}")
    console = Console()
    rows = []
    try:
        firmware.build()  # what is missing for it is said before anything is measured
        with console.status("measuring"):
            for row in measure(list(names) or known):
                rows.append(row)
                console.print(
                    f"{row.what}: {row.value}", soft_wrap=True, markup=False, highlight=False
                )
    except (firmware.BuildError, libraries.LibraryError, toolchain.ToolchainError) as error:
        raise click.ClickException(str(error)) from None
    heading = (name if name != "met" else "" for name in _HEADING)
    tables.show(heading, (_cells(row, "ok", "short") for row in rows), styles={"short": "red"})
    _REPORT.parent.mkdir(exist_ok=True)
    _REPORT.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    if write:
        try:
            text = tables.markdown(_HEADING, (_cells(row, "yes", "no") for row in rows))
            tables.fill(_PAGE, "table of benches", f"{text}\n\n{tables.taken()}")
        except tables.MarkError as error:
            raise click.ClickException(str(error)) from None
    short = [row.what for row in rows if row.met is False]
    if short:
        raise click.ClickException(f"short of the budget: {'; '.join(short)}")


def _cells(row: Row, met: str, short: str) -> tuple[str, ...]:
    ratio = "" if row.ratio is None else f"{row.ratio:.3g}"
    mark = {True: met, False: short, None: ""}[row.met]
    return row.what, row.value, row.budget, mark, row.peer or "", ratio
