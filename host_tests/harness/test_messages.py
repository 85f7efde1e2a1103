"""docs/operation.md names every text that the firmware logs or raises."""

import ast
import re

import pytest

from tools import ROOT

# The inventory is read by GLPI, and log.py has but the form of a line.
MODULES = [
    path
    for path in sorted((ROOT / "firmware" / "flyve").glob("*.py"))
    if path.stem not in ("inventory", "log")
]
LOGGED = ("log.info", "log.warn", "log.error")
PROSE = re.compile("[a-z)%] [a-z]|[a-z]: (%|$)|^[a-z]+ $|^N[A-Z]+_[A-Z]+$")
# Other peoples' words that the firmware looks for, and texts for the backend.
NOT_SHOWN = ("common name", "not correctly signed", "Enrollment failed", "; view documentation")


def _spans():
    """What stands between backticks in the section on messages."""
    text = (ROOT / "docs" / "operation.md").read_text()
    section = text.split("\n## Messages\n")[1].split("\n## ")[0]
    return [two or one for two, one in re.findall(r"``(.+?)``|`([^`]+)`", section)]


def _strings(node):
    return [n for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def _texts(path):
    """What an operator may read: lines of the log with their area, and prose in any other string,
    for it may become the reason in such a line."""
    tree = ast.parse(path.read_text())
    skipped = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
        name = ast.unparse(call.func)
        if name == "log.debug":
            skipped |= {id(n) for n in _strings(call)}
        elif name in LOGGED:
            area = call.args[0].value if isinstance(call.args[0], ast.Constant) else "<area>"
            for text in _strings(call.args[1]):
                skipped.add(id(text))
                if text.value != "%s":
                    yield f"{area}: {text.value}"
    for text in _strings(tree):
        shown = PROSE.search(text.value) and "\n" not in text.value
        if shown and id(text) not in skipped and text.value not in NOT_SHOWN:
            yield text.value


def _pattern(text):
    parts = re.split(r"<area>|%0?\d*[sdr]", text.strip())
    return re.compile(".+".join(map(re.escape, parts)))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_each_message_of_a_module_is_in_the_operators_guide(path):
    spans = _spans()
    missing = [t for t in _texts(path) if not any(_pattern(t).search(span) for span in spans)]
    assert not missing, "docs/operation.md, section Messages"
