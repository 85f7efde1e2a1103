"""What modules of the firmware take in a heap: with words of 64 bits, as the unix port's, and of
32 bits, as a board's, where objects and code are as large as in MicroPython's WebAssembly build.

A name that a module brings stays in memory for good. So all names are there before anything is
counted, and are a figure of their own.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from flyve_mdm.build import webassembly
from flyve_mdm.measure.benches.rig import SCRIPTS
from flyve_mdm.micropython.process import Interpreter

_RUNNER = Path(__file__).with_name("words.mjs")
_TIMEOUT = 120
_TOP = {"lib/umqtt/simple": "umqtt.simple", "lib/urequests": "urequests"}

Modules = frozenset[str]  # paths in the compiled tree, without .mpy


@dataclass(frozen=True)
class Heap:
    """Bytes: all names, and what a set of modules takes; and what was loaded then."""

    names: int
    taken: int
    there: Modules


# Loads each of some sets of modules of a compiled tree into an interpreter of its own.
Count = Callable[[Path, Iterable[Modules]], list[Heap]]


def bits64(tree: Path, sets: Iterable[Modules]) -> list[Heap]:
    """On the unix port; `tree`: of firmware.modules()."""
    with Interpreter(SCRIPTS) as unix:

        def live() -> int:
            unix.call("importing", "collect")
            return unix.call("importing", "used")

        unix.call("importing", "load", _text(_all(tree)))
        unix.call("importing", "tell_names")
        names = " ".join(re.findall(r"^Q\((\S+)\)$", unix.output, re.M))
        found = []
        for modules in sets:
            unix.restart()
            bare = live()
            unix.call("importing", "intern", names)
            before = live()
            unix.call("importing", "load", _text(modules))
            taken, there = live() - before, unix.call("importing", "there")
            found.append(Heap(before - bare, taken, _modules(tree, there)))
        return found


def bits32(tree: Path, sets: Iterable[Modules]) -> list[Heap]:
    """In the WebAssembly build; raises npm.NpmError when that cannot be had."""
    task = {
        "micropython": str(webassembly.fetch() / "micropython.mjs"),
        "script": (SCRIPTS / "importing.py").read_text(),
        "files": {path: base64.b64encode(data).decode() for path, data in _files(tree)},
        "everything": _text(_all(tree)),
        "sets": [_text(modules) for modules in sets],
    }
    said = webassembly.run(_RUNNER, json.dumps(task), _TIMEOUT)
    return [Heap(names, taken, _modules(tree, there)) for names, taken, there in json.loads(said)]


def each(count: Count, tree: Path) -> dict[str, int]:
    """What each module of the tree takes, without those that it imports."""
    names = sorted(_all(tree))
    closures = [heap.there for heap in count(tree, [frozenset({name}) for name in names])]
    others = [there - {name} for name, there in zip(names, closures, strict=True)]
    heaps = count(tree, closures + others)
    whole, rest = heaps[: len(names)], heaps[len(names) :]
    return {n: a.taken - b.taken for n, a, b in zip(names, whole, rest, strict=True)}


def _all(tree: Path) -> Modules:
    return frozenset(
        path.relative_to(tree).with_suffix("").as_posix() for path in tree.rglob("*.mpy")
    )


def _files(tree: Path) -> Iterator[tuple[str, bytes]]:
    for path in tree.rglob("*.mpy"):
        yield f"/{path.relative_to(tree).as_posix()}", path.read_bytes()


def _name(module: str) -> str:
    return _TOP.get(module) or module.removesuffix("/__init__").replace("/", ".")


def _text(modules: Modules) -> str:
    return " ".join(sorted(map(_name, modules)))


def _modules(tree: Path, text: str) -> Modules:
    there = set(text.split())
    return frozenset(module for module in _all(tree) if _name(module) in there)
