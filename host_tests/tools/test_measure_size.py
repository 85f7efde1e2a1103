"""`flyve size` and the tables that it writes."""

import json

import pytest
from click.testing import CliRunner

from flyve_mdm.measure import footprint, size
from flyve_mdm.measure.page import MarkError, fill, markdown


@pytest.fixture
def sized(monkeypatch, tmp_path):
    """Runs `flyve size --quick` with these budgets for all modules and for each."""
    monkeypatch.setattr(size, "_REPORT", tmp_path / "size.json")

    def run(total, largest):
        monkeypatch.setattr(size, "TOTAL", total)
        monkeypatch.setattr(size, "LARGEST", largest)
        result = CliRunner().invoke(size.size, ["--quick"])
        return result, json.loads((tmp_path / "size.json").read_text())

    return run


@pytest.mark.exact
def test_within_the_budgets_it_prints_and_exits_0(sized):
    result, report = sized(1 << 20, 1 << 20)
    assert result.exit_code == 0
    assert "flyve/agent" in result.stdout and "lib/urequests" in result.stdout
    assert set(report["modules"]["flyve/agent"]) == {"xtensawin", "rv32imc"}


@pytest.mark.exact
def test_over_a_budget_it_says_which_and_exits_1(sized):
    result, report = sized(1000, 1 << 20)
    assert result.exit_code == 1
    assert result.stderr == "Error: over budget: all modules\n"
    assert [f["what"] for f in report["figures"] if f["over"]] == ["all modules"]


def test_a_life_tells_what_each_phase_holds():
    phases = footprint.memory(tls=False)
    assert 0 < phases["imported"].heap < phases["idle"].heap < phases["downloading"].heap
    for modules in phases["idle"].modules:
        assert "flyve/link" in modules and "flyve/jobs/download" not in modules
    assert any("flyve/jobs/download" in modules for modules in phases["downloading"].modules)


def test_a_table_goes_between_its_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("Before.\n<!-- t -->\nold\n<!-- end of t -->\nAfter.\n")
    fill(page, "t", markdown(("what", "n"), [("a|b", "1")]))
    table = "| what | n |\n| --- | ---: |\n| a\\|b | 1 |"
    assert page.read_text() == f"Before.\n<!-- t -->\n{table}\n<!-- end of t -->\nAfter.\n"


def test_a_page_without_the_marks_is_left_alone(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("Nothing here.\n")
    with pytest.raises(MarkError, match="<!-- t -->"):
        fill(page, "t", "text")
    assert page.read_text() == "Nothing here.\n"
