"""`flyve size`: what the compiled agent costs in flash, against its budgets."""

import json

import click
from rich.console import Console
from rich.table import Table

from tools import BUILD, build, libraries, romfs, toolchain

ARCHES = ("xtensawin", "rv32imc")
KIB = 1024
TOTAL = 44 * KIB
LARGEST = 4 * KIB

# The modules in memory at once in a phase of the agent's life, and the budget of their .mpy.
RESIDENT: dict[str, tuple[int, tuple[str, ...]]] = {}

_REPORT = BUILD / "size.json"
_HIL = "hil-*.json"


def measure() -> dict:
    """Compiles the agent for each architecture; returns (and writes to build/size.json)
    the .mpy bytes of each module and each phase, with the budgets."""
    modules: dict[str, dict[str, int]] = {}
    image = {}
    for arch in ARCHES:
        tree = build.build(arch)
        image[arch] = len(romfs.make(tree))
        for path in sorted(tree.rglob("*.mpy")):
            name = path.relative_to(tree).with_suffix("").as_posix()
            modules.setdefault(name, {})[arch] = path.stat().st_size
    report = {
        "modules": modules,
        "total": {arch: sum(sizes[arch] for sizes in modules.values()) for arch in ARCHES},
        "resident": {phase: _phase(names, modules) for phase, (_, names) in RESIDENT.items()},
        "romfs": image,
        "budgets": {
            "total": TOTAL,
            "romfs": romfs.PARTITION,
            "module": LARGEST,
            "resident": {phase: budget for phase, (budget, _) in RESIDENT.items()},
        },
    }
    libraries.write(_REPORT, json.dumps(report, indent=2).encode() + b"\n")
    return report


def _memory() -> Table | str:
    # Of the reports that `make hil` has left, one for each board.
    reports = [json.loads(path.read_text()) for path in sorted(BUILD.glob(_HIL))]
    reports = [report for report in reports if report["memory"]]
    if not reports:
        return "RAM: run `make hil` (with PORT=... for a board) to measure it"
    table = Table("board", title="RAM of the agent, bytes above an idle interpreter")
    for heading in ("imported", "highest until online", "highest, with a download"):
        table.add_column(heading, justify="right")
    for report in reports:
        found = (report["memory"][key] for key in ("imported", "highest_until_online", "highest"))
        table.add_row(report["board"]["target"], *(f"{value:,}" for value in found))
    return table


def _phase(names, modules) -> dict[str, int]:
    return {arch: sum(modules[name][arch] for name in names) for arch in ARCHES}


def _row(table: Table, name: str, sizes: dict, budget: int, style: str = "") -> bool:
    worst = max(sizes.values())
    over = worst > budget
    table.add_row(
        name,
        *(f"{sizes[arch]:,}" for arch in ARCHES),
        f"{budget:,}",
        f"{worst / budget:.0%}",
        "[red]over[/]" if over else "ok",
        style=style,
    )
    return over


@click.command()
def size():
    """Shows the .mpy bytes of each module; exit 1 when one is over its budget."""
    try:
        report = measure()
    except (build.BuildError, libraries.LibraryError, toolchain.ToolchainError) as error:
        raise click.ClickException(str(error)) from None
    table = Table("module", title="Compiled agent, bytes of .mpy")
    for heading in (*ARCHES, "budget", "used", ""):
        table.add_column(heading, justify="right")
    budgets = report["budgets"]
    over = [n for n, s in report["modules"].items() if _row(table, n, s, budgets["module"])]
    table.add_section()
    for phase, sizes in report["resident"].items():
        if _row(table, f"resident, {phase}", sizes, budgets["resident"][phase]):
            over.append(phase)
    if _row(table, "total", report["total"], budgets["total"], "bold"):
        over.append("total")
    _row(table, "ROMFS image", report["romfs"], budgets["romfs"])
    Console().print(table)
    Console().print(_memory())
    if over:
        raise click.ClickException(f"over budget: {', '.join(over)}")
