"""Tables in the documents that a tool fills with its figures: between two comments, so that the
text around them is an author's."""

import platform
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from flyve_mdm.build import libraries


class MarkError(Exception):
    """A document lacks the place for a table; one line that says which."""


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
