"""The faults that a mutation run puts into a module, made by cosmic-ray's operators."""

import difflib
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flyve_mdm import ROOT

_COMMENT = "# mutants: "
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
    "core/NumberReplacer",
    "core/ZeroIterationForLoop",
)


@dataclass(frozen=True)
class Mutant:
    """One fault: the whole mutated source, the lines that differ, and what a comment on the
    original ones, or alone above them, says why it changes nothing: `# mutants: why`."""

    module: str
    operator: str
    line: int
    before: str
    after: str
    why: str
    source: str


def mutants(module: str) -> list[Mutant]:
    """All faults of a module that can be told from its source, in their order."""
    original = (ROOT / source_of(module)).read_text()
    found = {}
    for name, source in _mutated(original):
        if source not in found and _is_valid(source):
            found[source] = Mutant(module, name, *_difference(original, source), source)
    return sorted(found.values(), key=lambda mutant: (mutant.line, mutant.after))


def _is_valid(source: str) -> bool:
    try:
        compile(source, "", "exec")
    except SyntaxError:  # e.g. a continue that now stands in no loop
        return False
    return True


def source_of(module: str) -> Path:
    """Where a module's source is in a tree."""
    stays = Path("firmware") / "flyve" / f"{module}.py"
    return stays if (ROOT / stays).exists() else stays.parent / "jobs" / stays.name


def _mutated(original: str) -> Iterator[tuple[str, str]]:
    from cosmic_ray import mutating, plugins

    operators = {name.rpartition("/")[2]: plugins.get_operator(name) for name in _OPERATORS}
    operators |= {made.__name__: made for made in (_exception_replacer(), _statement_deleter())}
    for name, operator in operators.items():
        for occurrence in itertools.count():
            source = mutating.mutate_code(original, operator(), occurrence)
            if source is None:
                break
            yield name, source


def _exception_replacer() -> type:
    from cosmic_ray.operators.operator import Example, Operator
    from parso.python.tree import Name

    class ReplaceException(Operator):
        """Lets a handler miss what it is for; cosmic-ray's own knows no dotted names."""

        def mutation_positions(self, node):
            for place, number in self._caught(node):
                caught = place.children[number]
                yield caught.start_pos, caught.end_pos

        def mutate(self, node, index):
            place, number = self._caught(node)[index]
            caught = place.children[number]
            prefix = caught.get_first_leaf().prefix
            # A name that MicroPython has, of an exception that is never raised.
            place.children[number] = Name("GeneratorExit", caught.start_pos, prefix)
            return node

        @staticmethod
        def _caught(node):
            """(node, number of its child) of each exception that is named."""
            if node.type != "except_clause":
                return []
            caught = node.children[1]
            if caught.type != "atom":
                return [(node, 1)]
            if caught.children[1].type != "testlist_comp":
                return [(caught, 1)]
            names = caught.children[1]
            return [(names, number) for number in range(0, len(names.children), 2)]

        @classmethod
        def examples(cls):
            return (Example("try: x\nexcept a.B: y", "try: x\nexcept GeneratorExit: y"),)

    return ReplaceException


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


def _difference(original: str, mutated: str) -> tuple[int, str, str, str]:
    """(line, what stood there, what stands there, why that is the same), the blanks folded."""
    before, after = original.splitlines(), mutated.splitlines()
    blocks = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    changed = [block[1:] for block in blocks if block[0] != "equal"]
    first, last = changed[0][0], changed[-1][1]
    fresh = after[changed[0][2] : changed[-1][3]]
    alone = [line for line in before[:first][-1:] if line.lstrip().startswith(_COMMENT)]
    said = [line.partition(_COMMENT)[2] for line in (*alone, *before[first:last])]
    return first + 1, _folded(before[first:last]), _folded(fresh), " ".join(filter(None, said))


def _folded(lines: list[str]) -> str:
    return " ".join(" ".join(line.partition(_COMMENT)[0] for line in lines).split())


def sample(module: str, count: int, seed: int) -> list[Mutant]:
    """At most `count` of a module's mutants, the same for the same seed and source."""
    found = mutants(module)
    if len(found) > count:
        found = random.Random(f"{seed} {module}").sample(found, count)
    return sorted(found, key=lambda mutant: mutant.line)
