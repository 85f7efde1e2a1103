"""Tables on the console."""

import sys
from collections.abc import Iterable, Iterator, Mapping

import click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flyve_mdm.text import printable

_WHOLE = 24  # columns of text up to which a cell is not broken: names, serial numbers, dates
_FRAME = 3  # what a table's lines take for each column


def show(
    heading: Iterable[str],
    rows: Iterable[Iterable[object]],
    title: str = "",
    right: bool = False,
    styles: Mapping[str, str] | None = None,
) -> None:
    """Prints a table: drawn on a terminal that is wide enough; elsewhere plain columns, each as
    wide as what is in it, for another program cuts, and looks for, what it wants. right: all
    columns but the first are figures; styles: of cells on a terminal, by their text."""
    if sys.stdout.isatty():
        made = drawn(heading, rows, title, right, styles)
        Console().print(made, soft_wrap=isinstance(made, Text))
        return
    heading, cells = _texts(heading, rows)
    if title:
        click.echo(title)
    for line in _padded(heading, cells, right):
        click.echo("  ".join(line).rstrip())


def drawn(
    heading: Iterable[str],
    rows: Iterable[Iterable[object]],
    title: str = "",
    right: bool = False,
    styles: Mapping[str, str] | None = None,
) -> Table | Text:
    """The same for a terminal. On a narrow one only long cells are broken, and where that is not
    enough, too, it has no frame: the terminal breaks the lines, as it does those of `ps`."""
    styles = styles or {}
    heading, cells = _texts(heading, rows)
    least = [min(width, _WHOLE) for width in _widths(heading, cells)]
    if sum(least) + _FRAME * len(least) >= Console().width:
        lines = [Text(title)] if title else []
        for line in _padded(heading, cells, right):
            styled = (Text(cell, styles.get(cell.strip(), "")) for cell in line)
            lines.append(Text("  ").join(styled))
            lines[-1].rstrip()
        return Text("\n").join(lines)
    table = Table(title=title or None)
    for n, (name, width) in enumerate(zip(heading, least, strict=True)):
        side = "right" if right and n else "left"
        table.add_column(name, overflow="fold", justify=side, min_width=width)
    for row in cells:
        table.add_row(*(Text(cell, styles.get(cell, "")) for cell in row))
    return table


def _texts(heading: Iterable[str], rows: Iterable[Iterable[object]]) -> tuple[list, list]:
    return list(heading), [[printable(str(cell)) for cell in row] for row in rows]


def _widths(heading: list[str], cells: list[list[str]]) -> list[int]:
    return [max(map(cell_len, column)) for column in zip(heading, *cells, strict=True)]


def _padded(heading: list[str], cells: list[list[str]], right: bool) -> Iterator[list[str]]:
    widths = _widths(heading, cells)
    for line in (heading, *cells):
        padded = []
        for n, (cell, width) in enumerate(zip(line, widths, strict=True)):
            blanks = " " * (width - cell_len(cell))
            padded.append(blanks + cell if right and n else cell + blanks)
        yield padded
