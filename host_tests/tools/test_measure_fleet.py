"""`flyve fleet`: several boards on one machine, against one backend."""

import re

from click.testing import CliRunner

from flyve_mdm.measure import fleet


def test_three_boards_come_online_and_are_counted():
    result = CliRunner().invoke(fleet.fleet, ["3"])
    assert result.exit_code == 0, result.output
    told = re.search(
        r"3 of 3 boards online after ([\d.]+) s .*, ([\d.]+) MiB of RAM", result.stdout
    )
    assert told and float(told[1]) < 60 and float(told[2]) > 1


def test_a_board_that_does_not_come_online_is_told(monkeypatch):
    monkeypatch.setattr(fleet, "_WAIT", 1)
    result = CliRunner().invoke(fleet.fleet, ["1", "--heap", "32"])  # too little for the agent
    assert result.exit_code == 1
    assert "0 of 1 boards online" in result.stdout
    assert "not online: " in result.stderr and "Error: 1 boards are not online" in result.stderr
