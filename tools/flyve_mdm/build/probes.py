"""Probes for line coverage: what tells, in MicroPython, which lines of firmware/ have run.

COVERAGE=file in the environment builds firmware that calls __hit__(number) before each statement;
boards/virtual/probes.py appends the number to that file.
"""

import ast
import os
from pathlib import Path


def wanted() -> bool:
    """Whether firmware is to be built with probes."""
    return bool(os.environ.get("COVERAGE"))


def heap(size: int) -> int:
    """What a heap of `size` bytes must be for firmware that may have probes: code is larger."""
    return 2 * size if wanted() else size


def flash(size: int) -> int:
    """The same for a filesystem in which there is little more than the firmware."""
    return 3 * size // 2 if wanted() else size


def bases(folder: Path) -> dict[Path, int]:
    """Each source's number of line 0; no two lines of the firmware have the same number."""
    found, base = {}, 0
    for source in sorted(folder.rglob("*.py")):
        found[source] = base
        base += len(source.read_bytes().splitlines()) + 1
    return found


def instrument(source: str, base: int) -> str:
    """The source with a probe before each statement."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list):
                setattr(node, field, list(_with_probes(node, block, base)))
    return ast.unparse(ast.fix_missing_locations(tree))


def _with_probes(node: ast.AST, block: list[ast.stmt], base: int):
    if isinstance(node, ast.ExceptHandler):
        yield _probe(base + node.lineno)
    for statement in block:
        if not isinstance(statement, ast.Global | ast.Nonlocal) and not _is_text(statement):
            decorators = getattr(statement, "decorator_list", ())
            for line in (*(one.lineno for one in decorators), statement.lineno):
                yield _probe(base + line)
        yield statement


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _probe(number: int) -> ast.Expr:
    return ast.Expr(ast.Call(ast.Name("__hit__", ast.Load()), [ast.Constant(number)], []))
