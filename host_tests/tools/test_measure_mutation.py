"""The faults of flyve_mdm/mutants.py, and how flyve_mdm/mutation.py sees that they were found."""

from pathlib import Path

import pytest

from flyve_mdm import ROOT
from flyve_mdm.measure import mutants, mutation

SOURCE = """def f(x):
    if x < 1 and x:
        x = 0
    return x
"""


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A tree with one module and a test of it."""
    source = tmp_path / "tree" / "firmware" / "flyve" / "clamp.py"
    source.parent.mkdir(parents=True)
    source.write_text(SOURCE)
    for module in (mutants, mutation):
        monkeypatch.setattr(module, "ROOT", tmp_path / "tree")
    return tmp_path / "tree"


def test_the_faults_are_those_that_a_slip_of_the_hand_makes(tree):
    found = {(fault.line, fault.after) for fault in mutants.mutants("clamp")}
    assert found == {
        (2, "if not x < 1 and x:"),
        (2, "if x <= 1 and x:"),
        (2, "if x < 1 or x:"),
        (2, "if x < 0 and x:"),
        (2, "if x < 2 and x:"),
        (3, "pass"),
        (3, "x = -1"),
        (3, "x = 1"),
        (4, "pass"),
    }


def test_a_handler_misses_what_it_is_for_whatever_names_it(tree):
    clauses = "a.Error", "(a.Error)", "(Error, a.b.Error) as e"
    handlers = "".join(f"except {clause}:\n    pass\n" for clause in clauses)
    source = f"try:\n    pass\n{handlers}except:\n    pass\n"
    (tree / mutants.source_of("clamp")).write_text(source)
    found = [one.after for one in mutants.mutants("clamp") if "GeneratorExit" in one.after]
    assert found == [
        "except GeneratorExit:", "except (GeneratorExit):",
        "except (Error, GeneratorExit) as e:", "except (GeneratorExit, a.b.Error) as e:",
    ]  # fmt: skip


def test_a_sample_is_the_same_for_the_same_seed(tree):
    first, again, other = (mutants.sample("clamp", 4, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert len(set(first)) == 4


@pytest.mark.parametrize(
    "test, end",
    [
        ("    assert f(-1) == 0\n", "survived"),
        ("    assert f(1) == 1\n", "killed"),
        ("    while f(1) == 0:\n        pass\n", "hung"),
    ],
)
def test_how_the_tests_end_with_a_fault(tree, tmp_path, test, end):
    head = "from firmware.flyve.clamp import f\n\n\ndef test_it():\n"
    (tree / "test_it.py").write_text(head + test)
    copy = mutation.Copy(tmp_path, 0)
    fault = next(one for one in mutants.mutants("clamp") if one.after == "if x <= 1 and x:")
    seconds = 3 if end == "hung" else 60
    assert copy.run(fault, ["test_it.py"], seconds) == end
    assert (copy.root / "firmware" / "flyve" / "clamp.py").read_text() == SOURCE


def test_a_comment_beside_a_line_or_above_it_explains_its_faults(tree):
    lines = SOURCE.splitlines()
    lines[1] += "  # mutants: beside"
    lines.insert(2, "        # mutants: above")
    (tree / mutants.source_of("clamp")).write_text("\n".join(lines) + "\n")
    found = [(one.line, one.before, one.why) for one in mutants.mutants("clamp")]
    assert set(found) == {
        (2, "if x < 1 and x:", "beside"),
        (4, "x = 0", "above"),
        (5, "return x", ""),
    }


def test_explanations_stand_where_faults_are_made():
    explained = set()
    for source in (ROOT / "firmware").rglob("*.py"):
        lines = source.read_text().splitlines()
        explained |= {source.stem for line in lines if "# mutants: " in line}
        alone = [n for n, line in enumerate(lines) if line.lstrip().startswith("# mutants: ")]
        assert not any(lines[n + 1].lstrip()[:1] in ("", "#") for n in alone), source
    assert explained <= set(mutation.TESTS)


def test_the_tests_of_each_module_are_there():
    for tests in mutation.TESTS.values():
        for test in tests:
            assert (ROOT / Path(test.partition("::")[0])).exists()
