"""Line coverage of firmware/, measured where it runs: in MicroPython, on virtual boards.

COVERAGE=file in the environment builds firmware that calls __hit__(number) before each statement;
boards/virtual/probes.py appends the number to that file. `python -m flyve_mdm.coverage` runs the
tests so and reports with coverage.py: an `except` line counts as run when its handler was entered.
"""

import array
import ast
import os
import subprocess
import sys
from pathlib import Path

from flyve_mdm import BUILD, ROOT, need_checkout

FIRMWARE = ROOT / "firmware"
HITS = BUILD / "coverage.hits"
DATA = BUILD / "coverage.data"
AT_LEAST = 95  # per cent


def wanted() -> bool:
    """Whether firmware is to be built with probes."""
    return bool(os.environ.get("COVERAGE"))


def heap(size: int) -> int:
    """What a heap of `size` bytes must be for firmware that may have probes: code is larger."""
    return 2 * size if wanted() else size


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


def hits(file: Path) -> dict[str, list[int]]:
    """The lines that have run, by source."""
    numbers = array.array("H", file.read_bytes())
    if sys.byteorder == "big":
        numbers.byteswap()
    lines = {}
    for source, base in bases(FIRMWARE).items():
        end = base + len(source.read_bytes().splitlines())
        lines[str(source)] = sorted({n - base for n in numbers if base < n <= end})
    return lines


def main() -> None:
    """Runs the tests and reports. Exits with 1 when a test fails or too little was covered."""
    need_checkout("coverage")
    import coverage

    BUILD.mkdir(exist_ok=True)
    HITS.write_bytes(b"")
    before = bases(FIRMWARE)
    environment = {**os.environ, "COVERAGE": str(HITS)}
    argv = [sys.executable, "-m", "pytest", "-m", "not soak and not exact", *sys.argv[1:]]
    tests = subprocess.run(argv, check=False, env=environment).returncode
    if bases(FIRMWARE) != before:
        sys.exit("error: firmware/ has changed while it was measured; run it again")
    DATA.unlink(missing_ok=True)
    data = coverage.CoverageData(str(DATA))
    data.add_lines(hits(HITS))
    data.write()
    report = coverage.Coverage(data_file=str(DATA), config_file=False)
    report.load()
    covered = report.report(show_missing=True)
    report.html_report(directory=str(BUILD / "coverage"))
    report.json_report(outfile=str(BUILD / "coverage.json"))
    if covered < AT_LEAST:
        sys.exit(f"error: {covered:.1f} % of the firmware's lines have run, not {AT_LEAST} %")
    sys.exit(min(tests, 1))


if __name__ == "__main__":
    main()
