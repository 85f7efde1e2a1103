"""FLYVE_SLOW: every deadline is longer by that factor."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from flyve_mdm import ROOT, cli, patience
from flyve_mdm.board.folder import BoardError
from flyve_mdm.board.log import Log
from flyve_mdm.board.remote import SerialBoard


@pytest.fixture
def slow(monkeypatch):
    monkeypatch.setenv(patience.NAME, "2.5")


def test_without_it_deadlines_are_as_they_are(monkeypatch):
    monkeypatch.delenv(patience.NAME, raising=False)
    assert patience.stretched(30) == 30


@pytest.mark.parametrize("value", ["0", "0.5", "-1", "nan", "inf", "four", "101"])
def test_a_wrong_factor_is_said_in_one_line(monkeypatch, value):
    monkeypatch.setenv(patience.NAME, value)
    result = CliRunner().invoke(cli.cli, ["deploy", "nowhere"], prog_name="flyve")
    assert result.exit_code == 2
    said = f"Error: FLYVE_SLOW={value}: it must be a number from 1 to 100"
    assert result.output.splitlines()[-1] == said


def test_a_line_of_a_log_is_waited_for_longer(slow):
    with pytest.raises(TimeoutError, match=r"in 0\.05 s"):
        Log().wait("never", 0.02)


def test_a_board_that_does_not_answer_has_longer(slow, bench, tmp_path):
    board = bench.board(
        "import micropython, time\nmicropython.kbd_intr(-1)\nprint('deaf')\ntime.sleep(60)"
    )
    run = bench.start(board, port=tmp_path / "port")
    run.wait_log("deaf")
    told = []
    with pytest.raises(BoardError, match=r"no MicroPython answers, for 3 s"):
        SerialBoard(run.wait_port(), answer=0.4, tell=told.append).read("/x")


@pytest.mark.parametrize(("value", "code", "said"), [
    ("3", 0, "timeout: 900.0s"),
    ("no", 1, "FLYVE_SLOW=no: it must be a number"),
])  # fmt: skip
def test_the_tests_own_timeouts_are_longer(monkeypatch, value, code, said):
    monkeypatch.setenv(patience.NAME, value)
    command = [sys.executable, "-m", "pytest", "--collect-only", "host_tests/hil/test_lines.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout + done.stderr
