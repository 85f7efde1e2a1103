"""pytest plugin: tests in MicroPython.

A file test_*_inside.py is never imported here. Its `def test_...():` functions are
items that the real interpreter runs on the compiled firmware, one process for each file.
Constants of such a file: HEAP = "80K" (the interpreter's heap), DEADLINE = 60 (seconds for
the whole file), BOARD = True (on a virtual board, fresh for the file: littlefs at the root,
NVS, the chip's modules and clock; HEAP is then what they leave free). A test that raises an
exception named SkipTest is skipped.

For CPython tests that drive MicroPython code there is the fixture `upy`.
"""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from flyve_mdm import ROOT
from flyve_mdm.build import firmware, libraries, toolchain
from flyve_mdm.micropython.board_port import BoardPort
from flyve_mdm.micropython.child import Hang, Stopped
from flyve_mdm.micropython.process import MARK, Interpreter, UnixPort

_DEADLINE = 60
_CONSTANTS = ("HEAP", "DEADLINE", "BOARD")
_PROBLEMS = (firmware.BuildError, libraries.LibraryError, toolchain.ToolchainError)


def pytest_sessionstart(session):
    """The compiled firmware is up to date before any test is collected."""
    try:
        firmware.build()
    except _PROBLEMS as error:
        raise pytest.UsageError(str(error)) from None


def pytest_pycollect_makemodule(module_path, parent):
    if module_path.match("test_*_inside.py"):
        return UnitFile.from_parent(parent, path=module_path)
    return None


class UnitFile(pytest.File):
    """A file of MicroPython tests; while its items run, the process that runs them."""

    results = None

    def collect(self):
        try:
            body = ast.parse(self.path.read_text(encoding="utf-8")).body
        except (SyntaxError, UnicodeError) as error:
            raise self.CollectError(f"{self.path}: {error}") from None
        self.settings = _constants(body)
        for node in body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
                yield UnitItem.from_parent(self, name=node.name, line=node.lineno)

    def setup(self):
        chosen = [item.name for item in self.session.items if item.parent is self]
        kind = BoardPort if self.settings.get("BOARD") else UnixPort
        port = kind(self.settings.get("HEAP"), self.settings.get("DEADLINE", _DEADLINE))
        self.results = _Results(chosen, port.run(self.path, chosen))
        first = self.results.read()
        if first["outcome"] != "imported":
            report = f"{_report(first, 'cannot import the file')}\n{first['output']}".strip()
            pytest.fail(report, pytrace=False)

    def teardown(self):
        if self.results:
            self.results.close()
            self.results = None


class UnitItem(pytest.Item):
    """One function of a file of MicroPython tests."""

    def __init__(self, *, line, **kwargs):
        super().__init__(**kwargs)
        self._line = line

    def runtest(self):
        result = self.parent.results.wait_for(self.name)
        if result["output"]:
            self.add_report_section("call", "stdout", result["output"])
        if result["outcome"] == "skipped":
            raise pytest.skip.Exception(result["error"], _use_item_location=True)
        if result["outcome"] != "passed":
            pytest.fail(_report(result), pytrace=False)

    def reportinfo(self):
        return self.path, self._line - 1, self.name


class _Results:
    """Turns a run's lines into results, in the order in which they come."""

    def __init__(self, functions: list[str], lines: Iterator[bytes]):
        self._lines = lines
        self._due = list(functions)
        self._done: dict[str, dict] = {}
        self._over = ""  # why there will be no further result

    def wait_for(self, function: str) -> dict:
        """The result of a function, once it has run or cannot any more."""
        while function not in self._done and not self._over:
            record = self.read()
            running = record.setdefault("test", self._due[0])
            if record["outcome"] == "ended":
                self._over = f"not run: {record['error']}, in {running}"
            self._due.remove(running)
            self._done[running] = record
        missing = {"outcome": "ended", "error": self._over, "output": "", "trace": ""}
        return self._done.get(function, missing)

    def read(self) -> dict:
        """The next record, with the output and the traceback that came before it."""
        printed: dict[str, list] = {"output": [], "trace": []}
        into = "output"
        record = {}
        try:
            for line in self._lines:
                before, mark, after = line.partition(MARK)
                printed[into].append(before)
                if after.startswith(b"{"):
                    record = json.loads(after)
                    if record["outcome"] != "interrupted":  # else the reason is still to come
                        break
                elif mark:
                    into = "trace"
        except (Hang, Stopped, *_PROBLEMS) as ended:
            record = {"outcome": "ended", "error": str(ended)}
        return record | {
            part: b"".join(lines).decode("utf-8", "replace") for part, lines in printed.items()
        }

    def close(self) -> None:
        self._lines.close()


def _constants(body) -> dict:
    found = {}
    for node in body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in _CONSTANTS and isinstance(node.value, ast.Constant):
                found[name] = node.value.value
    return found


def _report(result: dict, reason: str = "") -> str:
    """What went wrong in one line, then where, with the source lines as CPython shows them."""
    frames, error = [], ""
    for line in result["trace"].splitlines():
        found = re.match(r'  File "(.+)", line (\d+)', line)
        if found and not found[1].endswith("micropython/runner.py"):
            frames += [line, *_source_line(found[1], int(found[2]))]
        elif not found and not line.startswith("Traceback "):
            error += line + "\n"
    if result["outcome"] == "ended":
        reason = ": ".join(filter(None, [reason, result["error"]]))
        error = ""
    first = ": ".join(filter(None, [reason, error.strip() or (not reason and result["error"])]))
    return "\n".join([first, *frames])


def _source_line(name: str, number: int) -> list[str]:
    for base in (Path.cwd(), ROOT, ROOT / "firmware"):
        source = base / name
        if source.is_file():
            lines = source.read_text(encoding="utf-8", errors="replace").splitlines()
            return [f"    {text.strip()}" for text in lines[number - 1 : number]]
    return []


@pytest.fixture(scope="module")
def upy(request):
    """An Interpreter for the test module, with the scripts in inside/
    beside it.

    The module's constants HEAP, DEADLINE (seconds a call) and BOARD hold for it.
    """
    wanted = {name: getattr(request.module, name, None) for name in ("HEAP", "DEADLINE")}
    settings = {name.lower(): value for name, value in wanted.items() if value}
    settings["port"] = BoardPort if getattr(request.module, "BOARD", False) else UnixPort
    with Interpreter(Path(request.module.__file__).parent / "inside", **settings) as interpreter:
        yield interpreter
