"""The documents say what is there: targets, commands, files, settings and messages."""

import ast
import json
import re

import pytest

from flyve_mdm import ROOT, cli
from flyve_mdm.build import pure

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "boards" / "README.md"]
GUIDE = (ROOT / "docs" / "operation.md").read_text()
# The inventory is read by GLPI, and log.py has but the form of a line.
MODULES = [
    path
    for path in sorted((ROOT / "firmware" / "flyve").rglob("*.py"))
    if path.stem not in ("inventory", "log")
]
LOGGED = ("log.info", "log.warn", "log.error")
PROSE = re.compile("[a-z)%] [a-z]|[a-z]: (%|$)|^[a-z]+ $|^N[A-Z]+_[A-Z]+$")
# Other peoples' words that the firmware looks for.
NOT_SHOWN = ("common name", "not correctly signed", "Enrollment failed", "; view documentation")

by_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix()
)


def _spans(text):
    """What stands between backticks, or in a block of code."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)
    rest = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    spans = [two or one for two, one in re.findall(r"``(.+?)``|`([^`]+)`", rest)]
    return spans + [line for block in blocks for line in block.splitlines()]


@by_page
def test_a_link_to_a_file_leads_to_one(page):
    links = re.findall(r"\]\((?!http)([^)#]+)", page.read_text())
    assert not [link for link in links if not (page.parent / link.rstrip("/")).exists()]


@by_page
def test_a_command_in_a_document_is_one(page):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    spans = _spans(page.read_text())
    made = {m for span in spans for m in re.findall(r"(?:^|[;&]) *make ([a-z]+)", span)}
    run = {m for span in spans for m in re.findall(r"(?:^|(?<!from) |/)flyve ([a-z]+)", span)}
    assert not made - targets
    assert not run - set(cli._COMMANDS)


# B8
def test_the_lines_of_the_readme_can_be_pasted():
    text = (ROOT / "README.md").read_text()
    lines = [line for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
             for line in block.splitlines()]  # fmt: skip
    assert lines
    for line in lines:
        command = line.partition("#")[0]
        assert not re.search(r"(?<![\w$])[A-Z][A-Z_]+\b(?![=\w.])", command), line


def test_the_readme_stays_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_each_setting_is_in_the_operators_guide_with_its_default():
    section = GUIDE.split("\n## Settings\n")[1].split("\n## ")[0]
    rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| `")]
    told = {name: row[1] for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    keys = pure.load("jobs.config").KEYS
    assert told.keys() == keys.keys()
    for name, (default, kind, *_) in keys.items():
        if default is not None and kind != "list":
            words = re.findall(r"[\w.-]+", told[name])
            assert str(default) in words or json.dumps(default) in words, name


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
    spans = _spans(GUIDE.split("\n## Messages\n")[1].split("\n## ")[0])
    missing = [t for t in _texts(path) if not any(_pattern(t).search(span) for span in spans)]
    assert not missing, "docs/operation.md, section Messages"


def test_each_fault_that_the_field_found_has_its_tests():
    rows = re.findall(r"^\| ([AB]\d+) \|", (ROOT / "docs" / "faults.md").read_text(), re.M)
    tests = [path.read_text() for path in (ROOT / "host_tests").rglob("test_*.py")]
    comments = [line for text in tests for line in re.findall(r"^ *# ([AB]\d+.*)$", text, re.M)]
    named = {row for line in comments for row in re.findall(r"\b[AB]\d+\b", line)}
    assert rows == [f"A{n}" for n in range(1, 42)] + [f"B{n}" for n in range(1, 16)]
    assert named == set(rows)


def test_each_file_of_tests_of_the_firmware_is_named_after_a_module():
    modules = {path.stem for path in (ROOT / "firmware").rglob("*.py")}
    for path in (ROOT / "host_tests" / "firmware").glob("test_*.py"):
        words = path.stem.split("_")
        assert any("_".join(words[1:n]) in modules for n in range(2, len(words) + 1)), path.name
