"""`flyve size` and the tables that it writes."""

import json

import pytest
from click.testing import CliRunner

from flyve_mdm.measure import footprint, size
from flyve_mdm.measure.page import MarkError, fill, markdown


@pytest.fixture
def sized(monkeypatch, tmp_path):
    """Runs `flyve size`, as on a machine without Node; boards have these figures."""
    monkeypatch.setattr(size, "_REPORT", tmp_path / "size.json")
    monkeypatch.setenv("PATH", str(tmp_path))

    def run(*figures):
        monkeypatch.setattr(size, "lived", lambda *_: figures)
        result = CliRunner().invoke(size.size, [] if figures else ["--quick"])
        return result, json.loads((tmp_path / "size.json").read_text())

    return run


@pytest.mark.exact
def test_what_is_counted_is_printed_and_without_node_a_line_says_what_is_left_out(sized):
    result, report = sized()
    assert result.exit_code == 0
    assert "flyve/agent" in result.stdout and "lib/urequests" in result.stdout
    assert set(report["modules"]["flyve/agent"]) == {"xtensawin", "rv32imc"}
    assert result.stderr == (
        "RAM on 32-bit words is left out: no Node here: install Node, with npm\n"
    )


@pytest.mark.exact
def test_over_a_budget_it_says_which_and_exits_1(sized):
    fits = size.Figure("ram", "online and idle, plain", (51_200, 40_000, None), 51_200)
    over = size.Figure("ram", "online and idle, TLS", (51_201, 40_000, None), 51_200)
    result, report = sized(fits, over)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "Error: over budget: online and idle, TLS"
    assert [f["what"] for f in report["figures"] if f["over"]] == ["online and idle, TLS"]


def test_a_life_tells_what_each_phase_holds():
    phases = footprint.memory(tls=False)
    assert 0 < phases["imported"].heap < phases["idle"].heap < phases["downloading"].heap
    for modules in phases["idle"].modules:
        assert "flyve/link" in modules and "flyve/jobs/download" not in modules
    assert any("flyve/jobs/download" in modules for modules in phases["downloading"].modules)


@pytest.mark.exact
def test_the_set_up_page_tells_what_it_holds():
    phases = footprint.set_up()
    assert 0 < phases["open"].heap < phases["setup"].heap < size.SETUP
    for modules in phases["open"].modules:
        assert "flyve/jobs/http_server" in modules or "flyve/jobs/setup" in modules
        assert "flyve/jobs/page" not in modules
    for job in ("setup_form", "page", "deeplink", "wifi_try"):
        assert any(f"flyve/jobs/{job}" in modules for modules in phases["setup"].modules)


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
