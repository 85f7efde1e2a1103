"""`flyve bench`: the figures of the agent beside their peers, each pair measured in one run.

Each module of benches/ has `rows()`, which yields Row objects.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict

import click
from rich.console import Console

from flyve_mdm import BUILD, ROOT, need_checkout, tables
from flyve_mdm.build import firmware, libraries, toolchain
from flyve_mdm.measure import page
from flyve_mdm.measure.benches import (
    download,
    flash,
    herd,
    jsonpick,
    life,
    link,
    memory,
    ping,
    start,
)
from flyve_mdm.measure.benches.row import Row

_REPORT = BUILD / "bench.json"
_PAGE = ROOT / "docs" / "performance.md"
_MODULES = (download, flash, herd, jsonpick, life, link, memory, ping, start)
BENCHES = {module.__name__.rpartition(".")[2]: module for module in _MODULES}
_HEADING = ("what", "measured", "budget", "met", "peer in the same run", "ratio")


def measure(names: Iterable[str]) -> Iterator[Row]:
    """Runs the benches one after the other and yields their rows as they come."""
    for name in names:
        yield from BENCHES[name].rows()


@click.command()
@click.argument("names", nargs=-1)
@click.option("--write", is_flag=True, help="Also fill the table of docs/performance.md.")
def bench(names: tuple[str, ...], write: bool) -> None:
    """Measures speed and memory, each beside its peer; NAMES choose single benches."""
    if write:
        need_checkout("bench --write")
    if write and names:
        raise click.UsageError("--write needs all rows: name no bench")
    for name in names:
        if name not in BENCHES:
            raise click.ClickException(f"no bench {name}; there are: {', '.join(BENCHES)}")
    console = Console()
    rows = []
    try:
        firmware.build()  # what is missing for it is said before anything is measured
        with console.status("measuring"):
            for row in measure(names or BENCHES):
                rows.append(row)
                console.print(
                    f"{row.what}: {row.value}", soft_wrap=True, markup=False, highlight=False
                )
    except (firmware.BuildError, libraries.LibraryError, toolchain.ToolchainError) as error:
        raise click.ClickException(str(error)) from None
    heading = (name if name != "met" else "" for name in _HEADING)
    tables.show(heading, (_cells(row, "ok", "short") for row in rows), styles={"short": "red"})
    _REPORT.parent.mkdir(parents=True, exist_ok=True)
    _REPORT.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    if write:
        try:
            text = page.markdown(_HEADING, (_cells(row, "yes", "no") for row in rows))
            page.fill(_PAGE, "table of benches", f"{text}\n\n{page.taken()}")
        except page.MarkError as error:
            raise click.ClickException(str(error)) from None
    short = [row.what for row in rows if row.met is False]
    if short:
        raise click.ClickException(f"short of the budget: {'; '.join(short)}")


def _cells(row: Row, met: str, short: str) -> tuple[str, ...]:
    ratio = "" if row.ratio is None else f"{row.ratio:.3g}"
    mark = {True: met, False: short, None: ""}[row.met]
    return row.what, row.value, row.budget, mark, row.peer or "", ratio
