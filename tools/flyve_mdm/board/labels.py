"""What stands on the labels of boards: a file that `provision --batch` writes and `label` reads.

It holds passphrases, so only its owner may read it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from flyve_mdm.board import csv_file, setup_network
from flyve_mdm.board.csv_file import TableError
from flyve_mdm.board.folder import check_mac


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
    """The labels of a file. Raises csv_file.TableError, OSError."""
    found = []
    lines = csv_file.rows(path)
    _, heading = next(lines)
    if "mac" not in heading:
        raise TableError(
            f"{path}: it has no column mac: give the .labels.csv of `flyve provision --batch`, or "
            f"a table with {', '.join(_COLUMNS)}"
        )
    for line, values in lines:
        cells = dict(zip(heading, map(str.strip, values), strict=False))
        given = {name: cells.get(name, "") for name in _COLUMNS}
        try:
            given["mac"] = check_mac(given["mac"])
        except ValueError as error:
            raise TableError(f"{path}, line {line}: {error}") from None
        found.append(Label(**given))
    if not found:
        raise TableError(f"{path}: there is no label in it; columns are {', '.join(_COLUMNS)}")
    return found


def known(path: Path) -> dict[str, Label]:
    """The labels of a file by MAC; none, when it is not there yet. Raises TableError, OSError."""
    try:
        return {label.mac: label for label in read(path)}
    except FileNotFoundError:
        return {}


def add(path: Path, labels: Iterable[Label], order: Sequence[str] = ()) -> None:
    """Adds labels to a file, or puts them in the place of those with the same MAC; those of
    `order`, MACs, come last, in that order. Raises TableError, OSError: a passphrase that is in
    no other place must not get lost."""
    kept = known(path)
    kept.update((label.mac, label) for label in labels)
    places = {mac: number for number, mac in enumerate(order)}
    found = sorted(kept.values(), key=lambda label: places.get(label.mac, -1))
    csv_file.write(path, _COLUMNS, map(asdict, found))
