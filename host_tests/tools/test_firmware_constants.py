"""Numbers and names that more than one module has, for none imports another for them alone."""

import ast

import pytest

from flyve_mdm import ROOT

FIRMWARE = ROOT / "firmware"


def _values(path):
    """What the module's names stand for, those in const(), too."""
    found = {}
    for node in ast.parse((FIRMWARE / f"{path}.py").read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value
            if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "const":
                value = value.args[0]
            try:
                found[node.targets[0].id] = ast.literal_eval(value)
            except ValueError:
                pass  # not a literal
    return found


def _of(where):
    path, _, name = where.rpartition(".")
    return _values(path)[name]


@pytest.mark.parametrize(
    "one, other",
    [
        ("flyve/jobs/known.SILENT", "flyve/online._SILENT"),
        ("flyve/jobs/known.HEARD", "flyve/online._HEARD"),
        ("flyve/jobs/known._SIZE", "flyve/online._SIZE"),
        ("flyve/jobs/inbox._LOST", "flyve/online._LOST"),
        ("flyve/jobs/failures.PATH", "flyve/jobs/tasks._FAILURES"),
        ("flyve/jobs/policies._BEATEN", "flyve/jobs/removal._BEATEN"),
        ("flyve/jobs/clock._OLD_S", "flyve/jobs/greeting._OLD_S"),
        ("flyve/jobs/slot._NOTE", "flyve/jobs/journal._NOTE"),
        ("flyve/jobs/slot._NOTE", "flyve/jobs/erasing._IMAGE"),
        ("flyve/jobs/slot._JOURNAL", "flyve/jobs/journal._JOURNAL"),
        ("flyve/jobs/judgement._JOURNAL", "flyve/jobs/journal._JOURNAL"),
    ],
)
def test_both_have_the_same(one, other):
    assert _of(one) == _of(other)


@pytest.mark.parametrize("name", ["SILENT", "HEARD"])
def test_a_state_that_due_looks_for_is_one_of_known(name):
    assert _of(f"flyve/jobs/due._{name}") == bytes([_of(f"flyve/jobs/known.{name}")])


@pytest.mark.parametrize("name", ["flyve/jobs/update._FIELDS", "flyve/jobs/startup._BUILT_IN"])
def test_boot_has_the_same_table(name):
    boot = ast.parse((FIRMWARE / "boot.py").read_text())
    tables = [ast.unparse(node) for node in ast.walk(boot) if isinstance(node, ast.Tuple)]
    assert repr(_of(name)) in tables
