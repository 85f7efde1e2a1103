"""A table of boards, a CSV file: which board gets what. All of it is checked before any is used.

Its columns are named as the options of `flyve provision`; wifi with psk, and set, may be there
several times.
"""

import hashlib
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from flyve_mdm.board import csv_file
from flyve_mdm.board import provision as provisioning
from flyve_mdm.board.csv_file import TableError
from flyve_mdm.board.factory import ARCHES
from flyve_mdm.board.folder import BoardError, check_mac
from flyve_mdm.board.target import find_port

_MANY = ("wifi", "psk", "set")
_ONCE = ("port", "name", "chip", "mac", "deeplink", "email", "serial", "ca")


@dataclass
class Row:
    """A board: the number of its line, the values of its row, and the plan, or the fault."""

    line: int
    port: str = ""
    name: str = ""
    chip: str = ""
    mac: str = ""
    serial: str = ""
    fault: str = ""
    mark: str = ""  # tells rows of other contents apart; no secret
    plan: provisioning.Plan = field(default_factory=provisioning.Plan)

    @property
    def title(self) -> str:
        """By which people know the board."""
        return self.name or self.serial or self.port or f"line {self.line}"


def read(path: Path, common: provisioning.Plan, key: str = "port") -> list[Row]:
    """The rows of a table; a row that cannot be used has its fault in it.

    common: what holds for all rows that say nothing else. key: the column in which each row needs
    a value of its own. Raises TableError, OSError.
    """
    _check_mode(path)
    lines = csv_file.rows(path)
    _, heading = next(lines)
    _check_heading(path, heading, key)
    rows = [_row(line, heading, values, path.parent, common) for line, values in lines]
    if not rows:
        raise TableError(f"{path}: there is no board in it: one row for each")
    _tell_twins(rows, key)
    return rows


def _check_mode(path: Path) -> None:
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise TableError(
            f"{path}: others may read it, and it holds invitations and passphrases: "
            f"chmod 600 {shlex.quote(str(path))}"
        )


def _check_heading(path, heading, key) -> None:
    known = (*_ONCE, *_MANY)
    if key not in heading:
        # First of all: without a heading it is a board's own line, in which there are secrets.
        raise TableError(
            f"{path}: its first line names no column {key}, in which each board has its own value"
        )
    for name in heading:
        if name not in known:
            raise TableError(f"{path}: no column is called {name!r}; there are {', '.join(known)}")
        if name in _ONCE and heading.count(name) > 1:
            raise TableError(f"{path}: the column {name} is there twice")
    if heading.count("wifi") != heading.count("psk"):
        raise TableError(f"{path}: give a column psk for each column wifi, in the same order")


def _row(line, heading, values, folder, common) -> Row:
    made = Row(line)
    if len(values) > len(heading):
        made.fault = f"{len(values)} values for {len(heading)} columns"
        return made
    cells = [(n, v.strip() if n != "psk" else v) for n, v in zip(heading, values, strict=False)]
    once = {name: value for name, value in cells if name in _ONCE}
    made.port, made.name, made.mac = (once.get(name, "") for name in ("port", "name", "mac"))
    made.chip = once.get("chip", "").upper()
    made.mark = _mark(made.port, cells, common)
    try:
        _fill(made, once, cells, folder)
        made.plan = made.plan.over(common)
        made.serial = str(made.plan.settings.get("serial") or "")
    except ValueError as error:
        made.fault = str(error)
    except OSError as error:
        made.fault = f"{error.filename}: {error.strerror}"
    return made


def _mark(port, cells, common) -> str:
    # It lies in a file of results, and a passphrase must not be guessed by it; yet a table may
    # have a thousand rows.
    given = [f"{name}={value}" for name, value in cells if value]
    text = "\0".join([*given, repr(common)]).encode()
    return hashlib.scrypt(text, salt=b"flyve " + port.encode(), n=1 << 11, r=8, p=1, dklen=8).hex()


def _fill(made, once, cells, folder) -> None:
    many = {name: [value for n, value in cells if n == name] for name in _MANY}
    if made.mac:
        made.mac = check_mac(made.mac)
    if made.chip and made.chip not in ARCHES:
        raise ValueError(f"chip {made.chip!r} is none of {', '.join(ARCHES)}")
    for name in ("email", "serial"):
        if once.get(name):
            made.plan.set(name, once[name])
    for setting in filter(None, many["set"]):
        name, equals, value = setting.partition("=")
        if not name or not equals:
            raise ValueError(f"set: write {name!r} as key=value")
        made.plan.set(name, value)
    if once.get("deeplink"):
        made.plan.deeplink(once["deeplink"])
    networks = [pair for pair in zip(many["wifi"], many["psk"], strict=False) if any(pair)]
    if networks:
        made.plan.wifi(networks)
    if once.get("ca"):
        made.plan.ca(folder / once["ca"])


def _tell_twins(rows, key) -> None:
    """What there is once, two boards cannot have."""
    for row in rows:
        if not getattr(row, key):
            row.fault = row.fault or f"it has no {key}"
    # By its serial number the backend knows a board.
    for name in dict.fromkeys((key, "serial", "mac")):
        same = _place if name == "port" else str.casefold
        values = [getattr(row, name) for row in rows]
        for row, line in _twins(rows, [value and same(value) for value in values]):
            row.fault = row.fault or f"{name} {getattr(row, name)} is that of line {line}, too"
    for row, line in _twins(rows, [row.plan.files.get(provisioning.DEEPLINK) for row in rows]):
        row.fault = row.fault or f"its invitation is that of line {line}, and serves once"


def _twins(rows, values) -> Iterator[tuple[Row, int]]:
    """The rows whose value was there before, and in which line."""
    lines = {}
    for row, value in zip(rows, values, strict=True):
        line = lines.setdefault(value, row.line)
        if value and line != row.line:
            yield row, line


def _place(port: str) -> str:
    """Where a port's name leads; the name itself, when nothing is there."""
    try:
        return str(Path(port if Path(port).is_dir() else find_port(port)).resolve())
    except (BoardError, OSError, ValueError):
        return port
