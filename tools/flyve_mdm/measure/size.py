"""`flyve size`: what the agent costs in flash, RAM and wear, each figure against its budget.

The bytes of .mpy are counted; RAM and wear are measured on virtual boards that live a whole life
(footprint.py). RAM on the unix port is 64-bit: about twice a board's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

import click
from rich.console import Console

from flyve_mdm import BUILD, ROOT, need_checkout, tables
from flyve_mdm.build import firmware, libraries, romfs, toolchain
from flyve_mdm.measure import footprint, page

ARCHES = ("xtensawin", "rv32imc")
KIB = 1024
TOTAL = 44 * KIB
LARGEST = 4 * KIB
ONLINE, DOWNLOADING = 20 * KIB, 26 * KIB  # bytes of .mpy in memory together
IDLE, HIGHEST = 72 * KIB, 80 * KIB  # heap on the unix port

_REPORT = BUILD / "size.json"
_HIL = "hil-*.json"
_FOOTPRINT, _WEAR = ROOT / "docs" / "footprint.md", ROOT / "docs" / "flash-wear.md"
_PHASES = {
    "imported": ("its modules imported", None),
    "enrolling": ("enrolling, highest moment", HIGHEST),
    "idle": ("online and idle", IDLE),
    "downloading": ("online and downloading, highest moment", HIGHEST),
}
# Event: name, programmed bytes, erases of blocks, writes of NVS.
_EVENTS = {
    "enrollment": ("an enrollment", 4 * KIB, 2, 8),
    "download": ("a download of 1,000,000 bytes", 1_100_000, 260, 0),
    "day": ("a day online without work", 0, 0, 2),
}


@dataclass(frozen=True)
class Figure:
    """A number with its budget (None: it has none of its own); in flash one for each of ARCHES."""

    part: str  # flash, ram or wear
    what: str
    values: tuple[int, ...]
    budget: int | None

    @property
    def over(self) -> bool:
        return self.budget is not None and max(self.values) > self.budget


def modules() -> dict[str, dict[str, int]]:
    """Compiles the agent for each architecture: the .mpy bytes of each module."""
    found: dict[str, dict[str, int]] = {}
    for arch in ARCHES:
        tree = firmware.build(arch)
        for path in sorted(tree.rglob("*.mpy")):
            name = path.relative_to(tree).with_suffix("").as_posix()
            found.setdefault(name, {})[arch] = path.stat().st_size
    return found


def flash(sizes: dict[str, dict[str, int]]) -> Iterator[Figure]:
    """Bytes of .mpy: of each module, of all, and of the ROMFS image that they make."""
    for name in sizes:
        yield Figure("flash", name, _bytes([name], sizes), LARGEST)
    yield Figure("flash", "all modules", _bytes(sizes, sizes), TOTAL)
    yield Figure("flash", "as a ROMFS image", tuple(map(_romfs, ARCHES)), None)


def boards() -> list[tuple[str, ...]]:
    """The RAM that `make hil` found, on each board that it ran on: its name and its figures."""
    reports = [json.loads(path.read_text()) for path in sorted(BUILD.glob(_HIL))]
    found = []
    for report in reports:
        if memory := report["memory"]:
            figures = (memory[key] for key in ("imported", "highest_until_online", "highest"))
            found.append((report["board"]["target"], *(f"{value:,}" for value in figures)))
    return found


def _romfs(arch: str) -> int:
    return len(romfs.make(firmware.build(arch)))


def lived(sizes: dict[str, dict[str, int]]) -> Iterator[Figure]:
    """What boards need that live a whole life: resident code, RAM and wear."""
    for tls in (False, True):
        how = "TLS" if tls else "plain"
        phases = footprint.memory(tls)
        for name, budget in (("idle", ONLINE), ("downloading", DOWNLOADING)):
            resident = max(_bytes(names & sizes.keys(), sizes) for names in phases[name].modules)
            what = f"in memory when {_PHASES[name][0].split(',')[0]}, {how}"
            yield Figure("flash", what, resident, budget)
        for name, (what, budget) in _PHASES.items():
            yield Figure("ram", f"{what}, {how}", (phases[name].heap,), budget)
    events = footprint.wear()
    for name, (what, *budgets) in _EVENTS.items():
        event = events[name]
        counted = (("bytes programmed", event.programmed), ("blocks erased", event.erases),
                   ("writes of NVS", event.nvs))  # fmt: skip
        for (unit, value), budget in zip(counted, budgets, strict=True):
            yield Figure("wear", f"{what}: {unit}", (value,), budget)


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
            figures = list(flash(sizes))
            if not quick:
                figures += lived(sizes)
    except (firmware.BuildError, libraries.LibraryError, toolchain.ToolchainError) as error:
        raise click.ClickException(str(error)) from None
    report = {"modules": sizes, "figures": [{**asdict(f), "over": f.over} for f in figures]}
    libraries.write(_REPORT, json.dumps(report, indent=1).encode() + b"\n")
    for part, title in (
        ("flash", "Compiled agent, bytes of .mpy"),
        ("ram", "RAM on the unix port (64-bit), bytes of heap"),
        ("wear", "Wear of flash and NVS"),
    ):
        chosen = [figure for figure in figures if figure.part == part]
        if chosen:
            rows = ((*_cells(figure), _mark(figure)) for figure in chosen)
            tables.show((*_heading(chosen), ""), rows, title, right=True, styles={"over": "red"})
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


def _heading(figures: list[Figure]) -> tuple[str, ...]:
    return "what", *(ARCHES if figures[0].part == "flash" else ("measured",)), "budget", "used"


def _cells(figure: Figure) -> tuple[str, ...]:
    budget = used = ""
    if figure.budget is not None:
        budget = f"{figure.budget:,}"
        used = f"{max(figure.values) / figure.budget:.0%}" if figure.budget else ""
    return figure.what, *(f"{value:,}" for value in figure.values), budget, used


def _write(figures: list[Figure]) -> None:
    for part, path in (("flash", _FOOTPRINT), ("ram", _FOOTPRINT), ("wear", _WEAR)):
        chosen = [figure for figure in figures if figure.part == part]
        text = page.markdown(_heading(chosen), map(_cells, chosen))
        page.fill(path, f"table of {part}", f"{text}\n\n{page.taken()}")
