"""Tables on the console."""

import sys
from collections.abc import Iterable, Mapping

import click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flyve_mdm.text import printable


def show(
    heading: Iterable[str],
    rows: Iterable[Iterable[object]],
    title: str = "",
    right: bool = False,
    styles: Mapping[str, str] | None = None,
) -> None:
    """Prints a table: drawn on a terminal; elsewhere plain columns, each as wide as what is in it,
    for another program cuts, and looks for, what it wants. right: all columns but the first are
    figures; styles: of cells on a terminal, by their text."""
    heading = list(heading)
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    if sys.stdout.isatty():
        Console().print(drawn(heading, cells, title, right, styles))
        return
    if title:
        click.echo(title)
    widths = [max(map(cell_len, column)) for column in zip(heading, *cells, strict=True)]
    for line in (heading, *cells):
        padded = []
        for n, (cell, width) in enumerate(zip(line, widths, strict=True)):
            blanks = " " * (width - cell_len(cell))
            padded.append(blanks + cell if right and n else cell + blanks)
        click.echo("  ".join(padded).rstrip())


def drawn(
    heading: Iterable[str],
    rows: Iterable[Iterable[object]],
    title: str = "",
    right: bool = False,
    styles: Mapping[str, str] | None = None,
) -> Table:
    """The same as a table for a terminal."""
    table = Table(title=title or None)
    for n, name in enumerate(heading):
        table.add_column(name, overflow="fold", justify="right" if right and n else "left")
    for row in rows:
        cells = [printable(str(cell)) for cell in row]
        table.add_row(*(Text(cell, (styles or {}).get(cell, "")) for cell in cells))
    return table
