"""Does the agent run on this MicroPython? Judged by what the board says of itself."""

from dataclasses import dataclass
from pathlib import Path

from flyve_mdm import BUILD, CHECKOUT
from flyve_mdm.build import toolchain

# What firmware/ and the two libraries import, and an ESP32 port may have been built without.
MODULES = (
    *("binascii", "deflate", "errno", "esp32", "hashlib", "json", "machine", "network", "random"),
    *("select", "socket", "struct", "time", "tls"),
)
# One line of JSON; it runs on anything that calls itself MicroPython.
QUERY = f"""
import json, sys
i = sys.implementation
missing = []
for name in {MODULES!r}:
    try:
        __import__(name)
    except ImportError:
        missing.append(name)
print(json.dumps([i[0], list(i[1]), getattr(i, "_mpy", 0), getattr(i, "_machine", ""),
    sys.platform, sys.version, missing]))
"""


@dataclass(frozen=True)
class Implementation:
    """What QUERY prints: sys.implementation and what else decides."""

    name: str
    version: list
    mpy: int
    machine: str
    platform: str
    build: str
    missing: list

    @property
    def release(self) -> str:
        """The version as text, as "1.25.0" or "1.29.0-preview"."""
        *numbers, last = self.version[:4] if len(self.version) > 3 else [*self.version, ""]
        return ".".join(map(str, numbers)) + (f"-{last}" if last else "")

    @property
    def arch(self) -> str:
        """The architecture of native code that it loads, or ""."""
        index = self.mpy >> 10
        return toolchain.ARCHES[index] if index < len(toolchain.ARCHES) else ""


def refusals(board: Implementation, tree: Path) -> list[str]:
    """Why the compiled files below `tree` would not run on the board; empty when they do."""
    if board.name != "micropython":
        return [f"this is {board.name}: the agent needs MicroPython"]
    if tuple(board.version[:2]) < toolchain.OLDEST:
        oldest = ".".join(map(str, toolchain.OLDEST))
        return [f"MicroPython {board.release} is too old: flash {oldest} or later"]
    found = []
    if board.missing:
        found.append(f"this MicroPython was built without {', '.join(board.missing)}")
    for path in sorted(tree.rglob("*.mpy")):
        problem = _file(board, path.read_bytes()[:4])
        if problem:
            found.append(f"{path.relative_to(tree).as_posix()}: {problem}")
            break  # the others would say the same
    return found


def _file(board: Implementation, head: bytes) -> str:
    # Magic, version, flags (bits 0-1 the sub-version of native code, 2-6 its architecture).
    if len(head) < 4 or head[0] != ord("M"):
        return "no compiled file: " + (
            "run `make clean`, then `make setup`" if CHECKOUT else f"remove {BUILD}"
        )
    if head[1] != board.mpy & 0xFF:
        own = board.mpy & 0xFF
        loads = f"loads .mpy version {own}" if own else "loads no .mpy files"
        return f"it is .mpy version {head[1]}, but this MicroPython {loads}"
    arch = head[2] >> 2
    if arch and (arch != board.mpy >> 10 or head[2] & 3 != board.mpy >> 8 & 3):
        name = toolchain.ARCHES[arch] if arch < len(toolchain.ARCHES) else arch
        return f"it holds {name} code, the board runs {board.arch or 'none'}"
    return ""
