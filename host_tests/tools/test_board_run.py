"""How a run starts and ends: heap, exit codes, the command line, several boards at once."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

from flyve_mdm.board import folder
from flyve_mdm.board.board import VirtualBoard
from flyve_mdm.board.log import BoardEnded

FLYVE = [sys.executable, "-c", "from flyve_mdm.cli import main; main()"]


def flyve(*args):
    command = [*FLYVE, *map(str, args)]
    return subprocess.run(command, capture_output=True, timeout=30, check=False)


@pytest.mark.exact
@pytest.mark.parametrize("heap", ["16K", "40K", "56K", "80K", "112K", "1M"])
def test_the_heap_is_what_the_firmware_has(bench, heap):
    board = bench.board("pass")
    board.write("/boot.py", "import micropython\nmicropython.mem_info()")
    run = bench.start(board, heap=heap)
    free = int(run.wait_log(r"GC: .* free: (\d+)")[1])
    # The line itself, compiled, takes some of it.
    assert 0 <= folder.parse_size(heap) - free < 2048


def test_the_heap_is_in_one_piece(bench):
    run = bench.run("x = bytearray(78 * 1024)\nprint('got it')", heap="80K")
    assert "got it" in run.log


def test_boot_comes_before_main_and_shares_its_names(bench):
    board = bench.board("print('main', x, __name__)")
    board.write("/boot.py", "x = 1\nprint('boot')")
    run = bench.start(board)
    assert run.wait() == 0
    assert run.log[:2] == ["boot", "main 1 __main__"]


def test_an_exception_prints_its_traceback(bench):
    run = bench.run("def f():\n    raise ValueError('oops')\nf()")
    assert run.wait() == 1
    del run.log[1]  # launch.py, which a real board has not got
    assert run.log == [
        "Traceback (most recent call last):",
        '  File "/main.py", line 3, in <module>',
        '  File "/main.py", line 2, in f',
        "ValueError: oops",
        "board: main.py failed: the board sits at its prompt",
        "flash ops=0",
    ]


def test_a_failing_boot_script_keeps_main_from_running(bench):
    board = bench.board("print('main')")
    board.write("/boot.py", "1/0")
    run = bench.start(board)
    assert run.wait() == 1
    assert "main" not in run.log


def test_memory_can_run_out(bench):
    run = bench.run("x = bytearray(200000)", heap="80K")
    assert run.log[-3].startswith("MemoryError")


def test_an_interpreter_that_dies_is_reported(bench):
    run = bench.run("import os\nos.system('kill -SEGV $PPID')")
    assert run.wait() == 1
    assert run.log[-2] == "board: the interpreter died by itself (signal 11)"


def test_waiting_for_a_line_ends_with_the_board(bench):
    run = bench.start(bench.board("print('hello')"))
    with pytest.raises(BoardEnded, match="hello"):
        run.wait_log("never")
    run = bench.start(bench.board("import time\nprint('hi')\ntime.sleep(9)"))
    with pytest.raises(TimeoutError, match="never"):
        run.wait_log("never", timeout=0.2)
    assert run.running
    assert run.kill() == 0
    assert not run.running


def test_boards_run_side_by_side(bench):
    boards = [bench.board(f"import time\nprint('I am', {n})\ntime.sleep(9)") for n in range(6)]
    runs = [bench.start(board) for board in boards]
    for n, run in enumerate(runs):
        run.wait_log(f"I am {n}")
    assert all(run.running for run in runs)


def test_a_running_board_is_left_alone(bench):
    board = bench.board("import time\nprint('up')\ntime.sleep(9)")
    run = bench.start(board)
    run.wait_log("up")
    with pytest.raises(folder.BoardError, match="is running"):
        board.write("/x", b"x")
    with pytest.raises(folder.BoardError, match="is running"):
        VirtualBoard(board.path).start().wait()
    assert board.read("/main.py"), "reading is allowed"
    run.stop()
    board.write("/x", b"x")


def test_the_board_does_not_outlive_its_supervisor(bench):
    board = bench.board("import time\nprint('up')\ntime.sleep(60)")
    command = [*FLYVE, "board", "run", str(board.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"up\n"
        process.kill()
    deadline = time.monotonic() + 5
    while True:  # its lock is free when it is gone: nothing else tells
        try:
            board.write("/x", b"x")
            return
        except folder.BoardError:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_sigterm_is_a_power_cut(bench):
    board = bench.board("import time\nprint('up')\ntry: time.sleep(60)\nfinally: print('finally')")
    command = [*FLYVE, "board", "run", str(board.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"up\n"
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert out == b"board: power off\nflash ops=0\n"
    assert err == b""


def test_run_from_the_command_line(bench):
    board = bench.board(
        "import machine\nprint(machine.reset_cause())\nopen('/x', 'w').close()\n"
        "if machine.reset_cause() == 1: machine.reset()"
    )
    other = bench.copy(board)
    done = flyve("board", "run", board.path, "--once")
    assert done.returncode == 0
    assert re.fullmatch(rb"1\nboard: reset\nflash ops=\d+\n", done.stdout), done
    done = flyve("board", "run", other.path, "--cut-after", 1, "--torn", 3, "--heap", "64K")
    assert done.returncode == 75
    assert done.stdout == b"1\nboard: power cut\nflash ops=1\n"
    assert flyve("board", "run", board.path, "--heap", "much").returncode == 2
    missing = flyve("board", "run", board.path / "none")
    assert missing.returncode == 1
    assert missing.stderr.startswith(b"Error: ")


def test_ls_cat_and_nvs(bench):
    board = bench.board()
    board.write("/d/data", b"\x00\xff\r\nx")
    board.write("/a b", b"")
    board.nvs_set("flyve", "rec.a", b"\x01\xab" * 40)
    board.nvs_set("flyve", "net", -1)
    assert flyve("board", "ls", board.path).stdout == b"       0 /a b\n       5 /d/data\n"
    assert flyve("board", "cat", board.path, "/d/data").stdout == b"\x00\xff\r\nx"
    expected = f"flyve\tnet\ti32\t-1\nflyve\trec.a\tblob\t{'01ab' * 40}\n"
    assert flyve("board", "nvs", board.path).stdout == expected.encode()
    done = flyve("board", "cat", board.path, "/none")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"Error: /none: no such file on the board\n"


def test_bad_settings_of_a_new_board(tmp_path):
    for wrong in (["--mac", "12:34"], ["--flash", "5"], ["--ap", "nocolon"]):
        assert flyve("board", "create", tmp_path / "b", *wrong).returncode == 2
    assert not (tmp_path / "b").exists()
    VirtualBoard.create(tmp_path / "b", mac="02:00:00:00:00:0A")
    with pytest.raises(folder.BoardError, match="already"):
        VirtualBoard.create(tmp_path / "b")


def limited(*args):
    # A file can grow to 1 MiB only: as on a full disk, a write fails in the middle.
    limit = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (1 << 20, 1 << 20)); "
    command = [sys.executable, "-c", limit + FLYVE[-1], *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_a_board_that_cannot_be_made_leaves_nothing_behind(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine").write_text("kept")
    for name in ("b", "there"):
        small = flyve("board", "create", tmp_path / name, "--flash", "64K")
        assert small.returncode == 1 and b"choose a larger --flash" in small.stderr
        full = limited("board", "create", tmp_path / name)
        where = tmp_path / name / "flash.img"
        assert (full.returncode, full.stderr) == (1, f"Error: File too large: {where}\n")
    assert [str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*")] == [
        "there",
        "there/mine",
    ]
    assert flyve("board", "create", tmp_path / "b").returncode == 0
    assert flyve("board", "create", tmp_path / "b").returncode == 1
    assert flyve("board", "ls", tmp_path / "b").returncode == 0


def test_an_interpreter_of_the_users_own(bench, monkeypatch, tmp_path):
    script = tmp_path / "micropython"
    script.write_text(f'#!/bin/sh\necho own\nexec "{sys.executable}" -c \'{_MAIN}\' "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("MICROPYTHON", str(script))
    monkeypatch.setenv("FLYVE_PSK", "secret")
    run = bench.run("import os\nprint('hello', os.getenv('FLYVE_PSK'))")
    assert run.log[:2] == ["own", "hello None"]
    assert os.environ["MICROPYTHON"]


_MAIN = "import sys, micropython_run; sys.exit(micropython_run.run_main(sys.argv))"
