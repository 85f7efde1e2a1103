"""CSV files, as programs and the spreadsheets of all countries write them."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from flyve_mdm.board.image import replace


class TableError(ValueError):
    """A file cannot be used as a table; one line that says what to do."""


class _Semicolons(csv.excel):
    delimiter = ";"


class _Tabs(csv.excel):
    delimiter = "\t"


def rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The number of its last line, and the values, of each row that is not blank; the heading is
    the first, in small letters. Raises TableError, OSError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, strict=True, dialect=_dialect(file.readline()))
            file.seek(0)
            filled = (values for values in lines if any(value.strip() for value in values))
            yield lines.line_num, [name.strip().lower() for name in next(filled, [])]
            for values in filled:
                yield lines.line_num, values
    except UnicodeDecodeError:
        raise TableError(f"{path}: it is no table in CSV and UTF-8: save it as that") from None
    except csv.Error as error:
        raise TableError(f"{path}: it is no table in CSV ({error})") from None


def _dialect(heading: str) -> type[csv.Dialect]:
    kinds = csv.excel, _Semicolons, _Tabs
    return max(kinds, key=lambda kind: heading.count(kind.delimiter))


def write(path: Path, columns: Sequence[str], cells: Iterable[Mapping[str, str]]) -> None:
    """Writes a file anew, whole or not at all; only its owner may read it."""
    text = io.StringIO(newline="")
    out = csv.DictWriter(text, columns)
    out.writeheader()
    out.writerows(cells)
    replace(path, text.getvalue().encode(errors="surrogateescape"))
