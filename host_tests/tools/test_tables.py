"""Tables on the console: whole columns for a pipe, nothing wider than a terminal on one."""

import os
import pty
import re
import subprocess
import sys

import pytest

SMILE = "\N{GRINNING FACE}"
LONG = "no space: " + "very " * 40 + "long"
SHOW = f"""
from flyve_mdm import tables
tables.show(("id", "why"), [(1, {LONG!r}), ("2\\x1b[31m", {SMILE!r} + " [bold]x[/]\\n")],
            "Title", styles={{"1": "red"}})
tables.show(("what", "bytes"), [("a", "1,000"), ("bcd", "7")], right=True)
"""


# B3
def test_a_table_in_a_pipe_has_whole_columns():
    done = subprocess.run(
        [sys.executable, "-c", SHOW], capture_output=True, timeout=30, check=True,
        env={**os.environ, "COLUMNS": "40", "FORCE_COLOR": "1"},
    )  # fmt: skip
    assert done.stdout.decode().splitlines() == [
        "Title",
        "id      why",
        f"1       {LONG}",
        f"2\ufffd[31m  {SMILE} [bold]x[/]",
        "what  bytes",
        "a     1,000",
        "bcd       7",
    ]


# B3
def test_a_table_on_a_terminal_loses_nothing_either():
    master, slave = pty.openpty()
    environ = {**os.environ, "COLUMNS": "40", "TERM": "xterm"}
    with subprocess.Popen([sys.executable, "-c", SHOW], stdout=slave, env=environ) as process:
        os.close(slave)
        out = b""
        try:
            while data := os.read(master, 65536):
                out += data
        except OSError:
            pass  # the other end is closed
    os.close(master)
    assert process.returncode == 0
    text = out.decode()
    assert text.count("very") == 40 and "\u2502" in text
    assert "\x1b[31m[31m" not in text and "2\ufffd[31m" in text


# B3
@pytest.mark.exact
def test_size_in_a_pipe_has_whole_columns():
    code = "from flyve_mdm.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "size", "--quick"],
        capture_output=True, timeout=60, check=False, env={**os.environ, "COLUMNS": "20"},
    )  # fmt: skip
    lines = done.stdout.decode().splitlines()
    assert lines[1].split()[:3] == ["what", "xtensawin", "rv32imc"]
    assert any(line.split()[:1] == ["flyve/jobs/inventory"] for line in lines)
    modules = [line for line in lines if line.startswith(("flyve/", "lib/"))]
    assert len({re.match(r"\S+ +[\d,]+ +[\d,]+", line).end() for line in modules}) == 1


# A15
def test_a_name_that_the_terminal_has_no_letters_for_ends_no_command(tmp_path):
    from flyve_mdm.board.board import VirtualBoard

    board = VirtualBoard.create(tmp_path / "board", flash_size=256 * 1024)
    board.write(f"/{SMILE}", b"")
    code = "from flyve_mdm.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "board", "ls", str(board.path)],
        capture_output=True, timeout=30, check=True,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
    )  # fmt: skip
    assert done.stdout == b"       0 /\\U0001f600\n"
