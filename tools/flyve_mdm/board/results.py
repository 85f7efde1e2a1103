"""What became of each board of a table: a file that a next run goes on from, without a secret."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from flyve_mdm.board.boards_table import Row
from flyve_mdm.board.image import replace

ONLINE, DONE, FAILED, WAITING = "online", "done", "failed", "not begun"
_COLUMNS = ("line", "port", "name", "serial", "mac", "state", "seconds", "reason", "mark")


@dataclass
class Result:
    """A row of the table: what became of it, why, and how long it took."""

    row: Row
    state: str = WAITING
    reason: str = ""
    serial: str = ""
    mac: str = ""
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
            "seconds": f"{self.seconds:.0f}" if self.seconds else "",
            "reason": self.reason,
            "mark": row.mark,
        }


def write(path: Path, results: Iterable[Result]) -> None:
    """Writes the file anew: whole, or not at all."""
    text = io.StringIO(newline="")
    out = csv.DictWriter(text, _COLUMNS)
    out.writeheader()
    out.writerows(result.cells() for result in results)
    replace(path, text.getvalue().encode(errors="surrogateescape"))


def resume(path: Path, rows: Iterable[Row]) -> list[Result]:
    """A result for each row: what is known of it from an earlier run, as long as the row is the
    same; else that it waits. Raises OSError."""
    known = {}
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            for cells in csv.DictReader(file):
                known[cells.get("mark")] = cells
    except FileNotFoundError:
        pass
    except csv.Error:
        known = {}
    made = []
    for row in rows:
        cells = known.get(row.mark)
        if row.fault:
            made.append(Result(row, FAILED, row.fault))
        elif cells:
            state = cells["state"] if cells.get("state") in (ONLINE, DONE) else WAITING
            made.append(Result(row, state, "", cells.get("serial") or "", cells.get("mac") or ""))
        else:
            made.append(Result(row))
    return made
