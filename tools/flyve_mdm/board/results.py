"""What became of each board of a table: a file that a next run goes on from, without a secret."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from flyve_mdm.board import csv_file
from flyve_mdm.board.boards_table import Row
from flyve_mdm.board.csv_file import TableError

ONLINE, DONE, FAILED, WAITING = "online", "done", "failed", "not begun"
_COLUMNS = (
    "line", "port", "name", "serial", "mac", "state", "deployed", "seconds", "reason", "mark",
)  # fmt: skip


@dataclass
class Result:
    """A row of the table: what became of it, why, and how long it took."""

    row: Row
    state: str = WAITING
    reason: str = ""
    serial: str = ""
    mac: str = ""
    deployed: bool = False  # the firmware was put on the board, too
    seconds: float = 0

    def cells(self) -> dict[str, str]:
        """What the file has of it."""
        row = self.row
        return {
            "line": str(row.line),
            "port": row.port,
            "name": row.name,
            "serial": self.serial or row.serial,
            "mac": self.mac or row.mac,
            "state": self.state,
            "deployed": "yes" if self.deployed else "",
            "seconds": f"{self.seconds:.0f}" if self.seconds else "",
            "reason": self.reason,
            "mark": row.mark,
        }


def write(path: Path, results: Iterable[Result]) -> None:
    """Writes the file anew: whole, or not at all."""
    csv_file.write(path, _COLUMNS, (result.cells() for result in results))


def resume(path: Path, rows: Iterable[Row]) -> list[Result]:
    """A result for each row: what is known of it from an earlier run, as long as the row is the
    same; else that it waits. Raises csv_file.TableError when the file is there and is another
    one, OSError."""
    known = _read(path)
    made = []
    for row in rows:
        cells = known.get(row.mark)
        if row.fault:
            made.append(Result(row, FAILED, row.fault))
        elif cells:
            state = cells["state"] if cells["state"] in (ONLINE, DONE) else WAITING
            deployed = bool(cells["deployed"])
            made.append(Result(row, state, "", cells["serial"], cells["mac"], deployed))
        else:
            made.append(Result(row))
    return made


def _read(path: Path) -> dict[str, dict[str, str]]:
    """The cells of a file's rows, by their marks."""
    if not path.exists() or not path.stat().st_size:
        return {}
    lines = csv_file.rows(path)
    _, heading = next(lines)
    if tuple(heading) != _COLUMNS:
        raise TableError(f"{path} is there, and no result of a batch: name another by --result")
    found = (dict(zip(_COLUMNS, values, strict=False)) for _, values in lines)
    return {cells["mark"]: cells for cells in found if len(cells) == len(_COLUMNS)}
