"""Mutation run: does a test fail for each small fault that is put into a module?

The faults are made by cosmic-ray's operators, and the tests run in copies of the tree, for the
firmware runs in another interpreter. `python -m tools.mutation [module ...]` prints a line for
each module; build/mutation.json has the survivors. What cannot be killed, since it changes nothing
that can be seen, is explained in host_tests/equivalent_mutants.json by its text.
"""

import argparse
import contextlib
import difflib
import itertools
import json
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from tools import BUILD, ROOT

RESULT = BUILD / "mutation.json"
EQUIVALENT = ROOT / "host_tests" / "equivalent_mutants.json"
AT_LEAST = 85  # per cent
_GRACE = 20  # seconds
_INPUTS = "host_tests/faults/test_inputs.py"
# The tests that concern a module, the fast ones first.
TESTS = {
    "deeplink": ["host_tests/unit/test_deeplink.py", f"{_INPUTS}::test_deeplinks"],
    "jsonpick": ["host_tests/unit/test_jsonpick.py", "host_tests/property/test_jsonpick.py"],
    "record": ["host_tests/unit/test_record.py", f"{_INPUTS}::test_record_slots"],
    "download": [f"host_tests/download/test_{n}.py" for n in ("judgement", "sizes", "cuts")],
}
# Of all pairs of operators, those that a slip of the hand makes.
_BINARY = (
    "Add_Sub Sub_Add Mul_FloorDiv FloorDiv_Mul Mod_FloorDiv RShift_LShift LShift_RShift "
    "BitAnd_BitOr BitOr_BitAnd BitXor_BitOr"
)
_COMPARISON = "Lt_LtE LtE_Lt Gt_GtE GtE_Gt Eq_NotEq NotEq_Eq Is_IsNot IsNot_Is"
_OPERATORS = (
    *(f"core/ReplaceBinaryOperator_{pair}" for pair in _BINARY.split()),
    *(f"core/ReplaceComparisonOperator_{pair}" for pair in _COMPARISON.split()),
    "core/ReplaceUnaryOperator_Delete_Not",
    "core/ReplaceUnaryOperator_Delete_USub",
    "core/AddNot",
    "core/ReplaceTrueWithFalse",
    "core/ReplaceFalseWithTrue",
    "core/ReplaceAndWithOr",
    "core/ReplaceOrWithAnd",
    "core/ReplaceBreakWithContinue",
    "core/ReplaceContinueWithBreak",
    "core/ExceptionReplacer",
    "core/NumberReplacer",
    "core/ZeroIterationForLoop",
)


@dataclass(frozen=True)
class Mutant:
    """One fault: the whole mutated source, and the lines that differ."""

    module: str
    operator: str
    line: int
    before: str
    after: str
    source: str

    @property
    def key(self) -> tuple[str, str, str]:
        return self.module, self.before, self.after


def mutants(module: str) -> list[Mutant]:
    """All faults of a module that can be told from its source, in their order."""
    original = (ROOT / _source(module)).read_text()
    found = {}
    for name, source in _mutated(original):
        # A name that MicroPython has, of an exception that is never raised.
        source = source.replace("CosmicRayTestingException", "GeneratorExit")
        if source not in found and _is_valid(source):
            found[source] = Mutant(module, name, *_difference(original, source), source)
    return sorted(found.values(), key=lambda mutant: (mutant.line, mutant.after))


def _is_valid(source: str) -> bool:
    try:
        compile(source, "", "exec")
    except SyntaxError:  # e.g. a continue that now stands in no loop
        return False
    return True


def _source(module: str) -> Path:
    return Path("firmware") / "flyve" / f"{module}.py"


def _mutated(original: str) -> Iterator[tuple[str, str]]:
    from cosmic_ray import mutating, plugins

    operators = {name.rpartition("/")[2]: plugins.get_operator(name) for name in _OPERATORS}
    for name, operator in {**operators, "DeleteStatement": _statement_deleter()}.items():
        for occurrence in itertools.count():
            source = mutating.mutate_code(original, operator(), occurrence)
            if source is None:
                break
            yield name, source


def _statement_deleter() -> type:
    from cosmic_ray.operators.operator import Example, Operator
    from parso.python.tree import Keyword

    class DeleteStatement(Operator):
        """Puts `pass` in the place of a statement; cosmic-ray has nothing of the kind."""

        def mutation_positions(self, node):
            if node.type == "simple_stmt" and not node.children[0].type.startswith(
                ("import", "string", "global", "nonlocal", "keyword")
            ):
                yield node.start_pos, node.end_pos

        def mutate(self, node, index):
            prefix = node.children[0].get_first_leaf().prefix
            node.children[0] = Keyword("pass", node.start_pos, prefix)
            return node

        @classmethod
        def examples(cls):
            return (Example("x = 1\n", "pass\n"),)

    return DeleteStatement


def _difference(original: str, mutated: str) -> tuple[int, str, str]:
    """(line, what stood there, what stands there) with the blanks folded."""
    before, after = original.splitlines(), mutated.splitlines()
    blocks = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    changed = [block[1:] for block in blocks if block[0] != "equal"]
    first, last = changed[0][0], changed[-1][1]
    fresh = after[changed[0][2] : changed[-1][3]]
    return first + 1, _folded(before[first:last]), _folded(fresh)


def _folded(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())


class Copy:
    """A copy of the tree to put faults into."""

    def __init__(self, below: Path, number: int):
        self.root = below / str(number)
        skip = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "*.json.part")
        shutil.copytree(ROOT, self.root, ignore=skip, symlinks=True)

    def run(self, mutant: Mutant | None, tests: list[str], seconds: float) -> str:
        """How the tests end with the fault in it: "survived", "killed", "hung" or "invalid"."""
        if mutant is None:
            return self._test(tests, seconds)
        source = self.root / _source(mutant.module)
        original = source.read_text()
        try:
            source.write_text(mutant.source)
            return self._test(tests, seconds)
        finally:
            source.write_text(original)

    def _test(self, tests: list[str], seconds: float) -> str:
        # Without the plugins that these tests need not: half a second each time.
        argv = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "pytest_timeout", *tests]
        alone = {"FLYVE_SEED": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        process = subprocess.Popen(
            argv, cwd=self.root, env={**os.environ, **alone}, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            # It ends the boards that it has started, each in a group of its own.
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE)
            return "hung"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        # pytest's 4: the firmware could not be built.
        return {0: "survived", 1: "killed", 4: "invalid"}.get(code, "killed")


def sample(module: str, count: int, seed: int) -> list[Mutant]:
    """At most `count` of a module's mutants, the same for the same seed and source."""
    found = mutants(module)
    if len(found) > count:
        found = random.Random(f"{seed} {module}").sample(found, count)
    return sorted(found, key=lambda mutant: mutant.line)


def measure(module: str, chosen: list[Mutant], copies: list[Copy]) -> list[tuple[Mutant, str]]:
    """Each mutant with how it ended. Exits when the tests fail without a fault."""
    tests = TESTS[module]
    begun = time.monotonic()
    if copies[0].run(None, tests, 600) != "survived":
        sys.exit(f"error: the tests of {module} fail without a fault: pytest {' '.join(tests)}")
    seconds = 10 + 3 * (time.monotonic() - begun)
    free: queue.Queue[Copy] = queue.Queue()
    for copy in copies:
        free.put(copy)

    def one(mutant: Mutant) -> tuple[Mutant, str]:
        copy = free.get()
        try:
            end = copy.run(mutant, tests, seconds)
        finally:
            free.put(copy)
        if end == "survived":
            print(f"{module}.py:{mutant.line}: survived: {mutant.before}  ->  {mutant.after}",
                  flush=True)  # fmt: skip
        return mutant, end

    with ThreadPoolExecutor(len(copies)) as pool:
        ends = list(pool.map(one, chosen))
    return [(mutant, end) for mutant, end in ends if end != "invalid"]


def main() -> None:
    """Runs the chosen modules. Exits with 1 when too few of the faults were found."""
    parser = argparse.ArgumentParser(prog="make mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="module", help=", ".join(TESTS))
    parser.add_argument("--sample", type=int, default=200, help="mutants of each module, 200")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-n", type=int, default=os.cpu_count(), help="how many run at once")
    chosen = parser.parse_args()
    for module in chosen.modules:
        if module not in TESTS:
            parser.error(f"no tests are named for {module}; there are {', '.join(TESTS)}")
    explained = {tuple(one[k] for k in ("module", "before", "after"))
                 for one in json.loads(EQUIVALENT.read_text())}  # fmt: skip
    survivors, low = [], []
    with tempfile.TemporaryDirectory(prefix="flyve-mutation-") as folder:
        copies = [Copy(Path(folder), number) for number in range(chosen.n)]
        for module in chosen.modules or TESTS:
            begun = time.monotonic()
            ends = measure(module, sample(module, chosen.sample, chosen.seed), copies)
            left = [mutant for mutant, end in ends if end == "survived"]
            equivalent = sum(mutant.key in explained for mutant in left)
            killed = 100 * (1 - len(left) / len(ends))
            print(
                f"{module}: {len(ends) - len(left)} of {len(ends)} killed ({killed:.1f} %), "
                f"{sum(end == 'hung' for _, end in ends)} by the time limit; "
                f"{len(left)} survived, {equivalent} of them explained; "
                f"{time.monotonic() - begun:.0f} s",
                flush=True,
            )
            low += [module] if killed < AT_LEAST else []
            for mutant in left:
                row = asdict(mutant)
                del row["source"]
                survivors.append({**row, "explained": mutant.key in explained})
    RESULT.write_text(json.dumps(survivors, indent=1) + "\n")
    if low:
        sys.exit(f"error: fewer than {AT_LEAST} % were killed in {', '.join(low)}")


if __name__ == "__main__":
    main()
