"""The house of firmware/flyve, drawn from the code: the floors of the contract in pyproject.toml
that import-linter holds, and what stays in memory, which is what lies beside jobs/."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from flyve_mdm import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TITLE = (
    "firmware/flyve: imports point downwards; dark: what stays in memory, light: flyve/jobs, "
    "in memory while it works"
)
_NAMES = (
    "The loop: what happens next",
    "Jobs: a piece of work each",
    "What the jobs use: MQTT, REST, files, Wi-Fi and time",
    "Data: what is kept, read and named",
    "The seams to the network and to the chip, and what all modules use",
)
_WIDEST = 8  # modules in a row


@dataclass(frozen=True)
class Floor:
    """A name, and the modules below firmware/, e.g. "flyve.jobs.rest"."""

    name: str
    modules: tuple[str, ...]


def floors() -> list[Floor]:
    """The floors, the highest first."""
    with open(ROOT / "pyproject.toml", "rb") as f:
        contracts = tomllib.load(f)["tool"]["importlinter"]["contracts"]
    (layers,) = (
        contract["layers"]
        for contract in contracts
        if contract["type"] == "layers" and contract["name"].startswith("firmware")
    )
    modules = [tuple(name.strip() for name in layer.split(":")) for layer in layers]
    return [Floor(name, found) for name, found in zip(_NAMES, modules, strict=True)]


def stays(module: str) -> bool:
    """Whether a module stays in memory."""
    return not module.startswith("flyve.jobs.")


def text() -> str:
    """The floors in D2, for docs/pictures/architecture.d2."""
    lines = [f'label: "{TITLE}"']
    for number, floor in enumerate(floors()):
        rows = -(-len(floor.modules) // _WIDEST)
        lines += [f'floor{number}: "{floor.name}" {{', "  class: floor", f"  grid-rows: {rows}"]
        for module in floor.modules:
            kind = "[module; stays]" if stays(module) else "module"
            lines.append(f'  "{module.rpartition(".")[2]}".class: {kind}')
        lines.append("}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
