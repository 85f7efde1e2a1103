"""`flyve size`: what the agent costs in flash, RAM and wear, each figure against its budget.

The bytes of .mpy are counted; RAM and wear are measured on virtual boards that live a whole life
(footprint.py). RAM on the unix port is 64-bit: about 1.5 times a board's; words.py has what the
modules take on a board.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from rich.console import Console

from flyve_mdm import BUILD, ROOT, need_checkout, tables
from flyve_mdm.board import image
from flyve_mdm.build import firmware, libraries, npm, romfs, toolchain
from flyve_mdm.measure import footprint, page, words

ARCHES = ("xtensawin", "rv32imc")
KIB = 1024
IDLE, HIGHEST = 50 * KIB, 66 * KIB  # heap on the unix port
SETUP = 60 * KIB  # there, too
LIFE = 76 * KIB  # there, too: the whole heap for a whole life

_REPORT = BUILD / "size.json"
_HIL = "hil-*.json"
_FOOTPRINT, _WEAR = ROOT / "docs" / "footprint.md", ROOT / "docs" / "flash-wear.md"
_PHASES = {
    "imported": ("just imported", None),
    "open": ("set-up page open", SETUP),
    "setup": ("set-up page at work, highest moment", SETUP),
    "enrolling": ("enrolling, highest moment", LIFE),
    "idle": ("online and idle", IDLE),
    "downloading": ("online and downloading, highest moment", HIGHEST),
}
_HEADINGS = {
    "flash": ("what", *ARCHES, "RAM, 32-bit words"),
    "ram": ("what", "measured", "its modules", "its modules, 32-bit words", "budget", "used"),
    "wear": ("what", "measured", "budget", "used"),
}
# Event: name, programmed bytes, erases of blocks, writes of NVS.
_EVENTS = {
    "enrollment": ("an enrollment", 4 * KIB, 2, 8),
    "download": ("a download of 1,000,000 bytes", 1_100_000, 260, 0),
    "day": ("a day online without work", 0, 0, 2),
}


@dataclass(frozen=True)
class Figure:
    """A number with its budget (None: it has none), and others that go with it, as _HEADINGS
    names them (None: not counted)."""

    part: str  # flash, ram or wear
    what: str
    values: tuple[int | None, ...]
    budget: int | None = None

    @property
    def over(self) -> bool:
        return self.budget is not None and self.values[0] > self.budget


def modules() -> dict[str, dict[str, int]]:
    """Compiles the agent for each architecture: the .mpy bytes of each module."""
    found: dict[str, dict[str, int]] = {}
    for arch in ARCHES:
        tree = firmware.build(arch)
        loose = firmware.modules(tree)
        for path in sorted(loose.rglob("*.mpy")):
            name = path.relative_to(loose).with_suffix("").as_posix()
            found.setdefault(name, {})[arch] = path.stat().st_size
    return found


def flash(sizes: dict[str, dict[str, int]], ram: dict[str, int]) -> Iterator[Figure]:
    """Bytes of .mpy: of each module, with what it takes of a board's RAM, of all, of the ROMFS
    image that they make, and of the blocks that a deployment takes."""
    for name in sizes:
        yield Figure("flash", name, (*_bytes([name], sizes), ram.get(name)))
    yield Figure("flash", "all modules", (*_bytes(sizes, sizes), None))
    yield Figure("flash", "as a ROMFS image", (*map(_romfs, ARCHES), None))
    yield Figure("flash", "on a board, in whole blocks", (*map(_littlefs, ARCHES), None))


def boards() -> list[tuple[str, ...]]:
    """The RAM that `make hil` found, on each board that it ran on: its name and its figures."""
    reports = [json.loads(path.read_text()) for path in sorted(BUILD.glob(_HIL))]
    found = []
    for report in reports:
        if memory := report["memory"]:
            figures = (memory[key] for key in ("imported", "highest_until_online", "highest"))
            found.append((report["board"]["target"], *(f"{value:,}" for value in figures)))
    return found


def _littlefs(arch: str) -> int:
    tree, files = firmware.build(arch), image.Files(image.blank(1024 * KIB))
    for path in tree.rglob("*.*"):
        files.write(f"/{path.relative_to(tree).as_posix()}", path.read_bytes())
    return files.used()


def _romfs(arch: str) -> int:
    return len(romfs.make(firmware.build(arch)))


def lived(sizes: dict[str, dict[str, int]], words32: bool) -> Iterator[Figure]:
    """What boards need that live a whole life: resident code, RAM and wear."""
    lives = {how: footprint.memory(how == "TLS") for how in ("plain", "TLS")}
    page = footprint.set_up()
    lives["plain"].update(open=page["open"], setup=page["setup"])
    rows = [
        (name, how, lives[how][name]) for how in lives for name in _PHASES if name in lives[how]
    ]
    largest = [
        max((names & sizes.keys() for names in phase.modules), key=lambda n: _bytes(n, sizes))
        for *_, phase in rows
    ]
    tree = firmware.modules(firmware.build())
    unix = words.bits64(tree, largest)
    board = words.bits32(tree, largest) if words32 else [None] * len(largest)
    for (name, how, phase), names, *heaps in zip(rows, largest, unix, board, strict=True):
        what, budget = _PHASES[name]
        taken = [heap and heap.taken for heap in heaps]
        resident = f"in memory when {what.split(',')[0]}, {how}"
        yield Figure("flash", resident, (*_bytes(names, sizes), taken[1]))
        yield Figure("ram", f"{what}, {how}", (phase.heap, *taken), budget)
    names = [heap and heap.names for heap in (unix[0], board[0])]
    yield Figure("ram", "names of all modules, once they were there", (None, *names))
    events = footprint.wear()
    for name, (what, *budgets) in _EVENTS.items():
        event = events[name]
        counted = (("bytes programmed", event.programmed), ("blocks erased", event.erases),
                   ("writes of NVS", event.nvs))  # fmt: skip
        for (unit, value), budget in zip(counted, budgets, strict=True):
            yield Figure("wear", f"{what}: {unit}", (value,), budget)


def _ram(tree: Path) -> dict[str, int]:
    """What each module takes on a board; none without the WebAssembly build, and one line why."""
    try:
        return words.each(words.bits32, tree)
    except npm.NpmError as error:
        click.echo(f"RAM on 32-bit words is left out: {error}", err=True)
        return {}


def _bytes(names: Iterable[str], sizes: dict[str, dict[str, int]]) -> tuple[int, ...]:
    return tuple(sum(sizes[name][arch] for name in names) for arch in ARCHES)


@click.command()
@click.option("--quick", is_flag=True, help="Only what can be counted: no board is run.")
@click.option("--write", is_flag=True, help="Also fill the tables of docs/.")
def size(quick: bool, write: bool) -> None:
    """Flash, RAM and wear of the agent; exit 1 when a figure is over its budget."""
    if quick and write:
        raise click.UsageError("--write needs the figures of boards: leave --quick out")
    if write:
        need_checkout("size --write")
    console = Console()
    try:
        with console.status("measuring"):
            sizes = modules()
            ram = _ram(firmware.modules(firmware.build()))
            figures = list(flash(sizes, ram))
            if not quick:
                figures += lived(sizes, bool(ram))
    except (
        firmware.BuildError, libraries.LibraryError, toolchain.ToolchainError,
        npm.NpmError,
    ) as error:  # fmt: skip
        raise click.ClickException(str(error)) from None
    report = {"modules": sizes, "figures": [{**asdict(f), "over": f.over} for f in figures]}
    libraries.write(_REPORT, json.dumps(report, indent=1).encode() + b"\n")
    for part, title in (
        ("flash", "Compiled agent, bytes of .mpy"),
        ("ram", "RAM on the unix port (64-bit), and what the modules take of it and of a board's"),
        ("wear", "Wear of flash and NVS"),
    ):
        chosen = [figure for figure in figures if figure.part == part]
        if chosen:
            rows = ((*_cells(figure), _mark(figure)) for figure in chosen)
            tables.show((*_HEADINGS[part], ""), rows, title, right=True, styles={"over": "red"})
    if found := boards():
        heading = ("board", "imported", "highest until online", "highest, with a download")
        title = "RAM of the agent, bytes above an idle interpreter"
        tables.show(heading, found, title, right=True)
    else:
        click.echo("RAM on a board: run `make hil PORT=...` first")
    if write:
        try:
            _write(figures)
        except page.MarkError as error:
            raise click.ClickException(str(error)) from None
    over = [figure.what for figure in figures if figure.over]
    if over:
        raise click.ClickException(f"over budget: {'; '.join(over)}")


def _mark(figure: Figure) -> str:
    return "" if figure.budget is None else "over" if figure.over else "ok"


def _cells(figure: Figure) -> tuple[str, ...]:
    cells = [figure.what, *("" if value is None else f"{value:,}" for value in figure.values)]
    if figure.part == "flash":
        return tuple(cells)
    if figure.budget is None:
        return *cells, "", ""
    used = f"{figure.values[0] / figure.budget:.0%}" if figure.budget else ""
    return *cells, f"{figure.budget:,}", used


def _write(figures: list[Figure]) -> None:
    for part, path in (("flash", _FOOTPRINT), ("ram", _FOOTPRINT), ("wear", _WEAR)):
        chosen = [figure for figure in figures if figure.part == part]
        text = page.markdown(_HEADINGS[part], map(_cells, chosen))
        page.fill(path, f"table of {part}", f"{text}\n\n{page.taken()}")
