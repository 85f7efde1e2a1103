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


def on_terminal(code, columns):
    """What a program prints on a terminal."""
    master, slave = pty.openpty()
    environ = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm"}
    with subprocess.Popen([sys.executable, "-c", code], stdout=slave, env=environ) as process:
        os.close(slave)
        out = b""
        try:
            while data := os.read(master, 65536):
                out += data
        except OSError:
            pass  # the other end is closed
    os.close(master)
    assert process.returncode == 0
    return out.decode()


# B3
def test_a_table_on_a_terminal_loses_nothing_either():
    text = on_terminal(SHOW, 40)
    assert text.count("very") == 40 and "\u2502" in text
    assert "\x1b[31m[31m" not in text and "2\ufffd[31m" in text


DEVICES = """
from flyve_mdm import tables
row = ("17", "ESP32-022FDB08B543", "ada@example.org", "yes", "2026-11-27 19:51:11")
tables.show(("id", "serial", "e-mail", "online", "last contact", "tasks"),
            [(*row, "deployFile failed, " * 4)], "Devices", styles={"yes": "green"})
"""


@pytest.mark.parametrize(("columns", "framed"), [(110, True), (80, False), (40, False)])
def test_on_a_narrow_terminal_names_and_dates_stay_whole(columns, framed):
    text = on_terminal(DEVICES, columns)
    for word in ("ESP32-022FDB08B543", "ada@example.org", "2026-11-27 19:51:11", "\x1b[32myes"):
        assert word in text
    assert ("\u2502" in text) == framed and text.count("deployFile") == 4
    assert framed or text.count("\n") == 3, "the terminal breaks the lines"


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
