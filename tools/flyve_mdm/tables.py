"""Tables: on the console, and in the documents that a tool fills with its figures (between two
comments, so that the text around them is an author's)."""

import platform
import sys
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

import click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flyve_mdm.build import libraries
from flyve_mdm.text import printable


class MarkError(Exception):
    """A document lacks the place for a table; one line that says which."""


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
        _draw(heading, cells, title, right, styles or {})
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


def _draw(heading, rows, title, right, styles) -> None:
    table = Table(title=title or None)
    for n, name in enumerate(heading):
        table.add_column(name, overflow="fold", justify="right" if right and n else "left")
    for row in rows:
        table.add_row(*(Text(cell, styles.get(cell, "")) for cell in row))
    Console().print(table)


def markdown(heading: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table whose first column is text and whose other columns are figures."""
    heading = list(heading)
    rule = ["---"] + ["---:"] * (len(heading) - 1)
    lines = [heading, rule, *(list(row) for row in rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
                     for line in lines)  # fmt: skip


def fill(path: Path, name: str, text: str) -> None:
    """Puts text between `<!-- name -->` and `<!-- end of name -->`. Raises MarkError."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    whole = path.read_text() if path.exists() else ""
    head, found, rest = whole.partition(begin)
    _, closed, tail = rest.partition(end)
    if not (found and closed):
        raise MarkError(f"{path.name} has no place for the table: write {begin} and {end} there")
    libraries.write(path, f"{head}{begin}\n{text}\n{end}{tail}".encode())


def taken() -> str:
    """When and on what figures were taken."""
    return f"Taken on {date.today()}, {platform.machine()} {platform.system()}."
