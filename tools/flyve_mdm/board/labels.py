"""What stands on the labels of boards: a file that `provision --batch` writes and `label` reads.

It holds passphrases, so only its owner may read it.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from flyve_mdm.board import setup_network
from flyve_mdm.board.folder import check_mac
from flyve_mdm.board.image import replace


class LabelError(Exception):
    """The file cannot be used; one line that says what to do."""


@dataclass(frozen=True)
class Label:
    """One board: its MAC in hex, and the passphrase of its set-up network, "" when it has none."""

    mac: str
    name: str = ""
    serial: str = ""
    passphrase: str = ""
    deeplink: str = ""

    @property
    def network(self) -> str:
        """The name of its set-up network, "" when it has none."""
        return setup_network.name(self.mac) if self.passphrase else ""

    @property
    def code(self) -> str:
        """The text of the QR code that lets a phone join."""
        return setup_network.code(self.mac, self.passphrase)


_COLUMNS = [field.name for field in fields(Label)]


def read(path: Path) -> list[Label]:
    """The labels of a file. Raises LabelError, OSError."""
    found = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, strict=True)
            for row in table:
                given = {name: (row.get(name) or "").strip() for name in _COLUMNS}
                try:
                    given["mac"] = check_mac(given["mac"])
                except ValueError as error:
                    raise LabelError(f"{path}, line {table.line_num}: {error}") from None
                found.append(Label(**given))
    except (csv.Error, UnicodeDecodeError) as error:
        raise LabelError(f"{path}: it is no table in CSV and UTF-8 ({error})") from None
    if not found:
        raise LabelError(f"{path}: there is no label in it; columns are {', '.join(_COLUMNS)}")
    return found


def add(path: Path, labels: Iterable[Label]) -> None:
    """Adds labels to a file, or puts them in the place of those with the same MAC."""
    try:
        kept = {label.mac: label for label in read(path)}
    except (FileNotFoundError, LabelError):
        kept = {}
    kept.update((label.mac, label) for label in labels)
    text = io.StringIO(newline="")
    out = csv.DictWriter(text, _COLUMNS)
    out.writeheader()
    out.writerows(asdict(label) for label in kept.values())
    replace(path, text.getvalue().encode())
