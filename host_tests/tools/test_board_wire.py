"""A virtual board on a pseudo-terminal, driven by mpremote itself."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
import serial

from flyve_mdm.board import folder

FLYVE = [sys.executable, "-c", "from flyve_mdm.cli import main; main()"]
MPREMOTE = [sys.executable, "-m", "mpremote"]
MAIN = """
import machine, time
print('main starts', machine.reset_cause())
while True:
    time.sleep_ms(5)
"""


class Wired:
    """A running board and its port."""

    def __init__(self, board, run, port):
        self.board, self.run, self.port = board, run, port

    def mpremote(self, *args, code=0):
        """What mpremote prints on its standard output."""
        command = [*MPREMOTE, "connect", str(self.port), *map(str, args)]
        done = subprocess.run(command, capture_output=True, timeout=30, check=False)
        assert done.returncode == code, (done.stdout, done.stderr)
        return (done.stdout + done.stderr).decode()

    def rebooted(self, since, cause):
        """Waits until main.py has started again, so that it can be interrupted."""
        self.run.wait_log(f"main starts {cause}", since=since)


@pytest.fixture
def wired(bench, tmp_path):
    board = bench.board(MAIN)
    run = bench.start(board, port=tmp_path / "port")
    run.wait_log("main starts 1")
    return Wired(board, run, tmp_path / "port")


def test_files_come_and_go(wired, tmp_path):
    data = bytes(range(256)) * 20
    (tmp_path / "data").write_bytes(data)
    wired.mpremote("fs", "mkdir", ":box", "+", "fs", "cp", tmp_path / "data", ":box/data")
    assert wired.board.read("/box/data") == data
    listing = wired.mpremote("fs", "ls", ":", "+", "fs", "ls", ":box")
    assert re.search(r"\d+ main\.py", listing) and "box/" in listing and "5120 data" in listing
    wired.mpremote("fs", "cp", ":box/data", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data
    assert "print('main starts'" in wired.mpremote("fs", "cat", ":main.py")
    wired.mpremote("fs", "rm", "-r", ":box")
    assert [path for path, _ in wired.board.files()] == ["/main.py"]
    assert "No such file" in wired.mpremote("fs", "cat", ":box/data", code=1)


def test_a_folder_is_copied_whole(wired, tmp_path):
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    for name in ("a.py", "deep/b.py"):
        (tmp_path / "tree" / name).write_text(f"# {name}\n")
    wired.mpremote("fs", "cp", "-r", tmp_path / "tree", ":")
    assert wired.board.read("/tree/deep/b.py") == b"# deep/b.py\n"


def test_code_is_run_and_its_exception_shown(wired, tmp_path):
    assert wired.mpremote("exec", "print(6 * 7)") == "42\n"
    (tmp_path / "script.py").write_text("import os\nprint(os.listdir('/'))\n1 / 0\n")
    assert "ZeroDivisionError" in wired.mpremote("run", tmp_path / "script.py", code=1)
    assert wired.mpremote("eval", "'\\x01\\x03' * 2000") == "\x01\x03" * 2000 + "\n"


def test_a_long_script_is_pasted_in_windows(wired, tmp_path):
    (tmp_path / "long.py").write_text("x = 1  # padding padding\n" * 400 + "print('x', x)\n")
    assert wired.mpremote("run", tmp_path / "long.py") == "x 1\n"


def test_a_session_lasts_until_a_soft_reset(wired):
    wired.mpremote("exec", "kept = 1")
    assert wired.mpremote("resume", "exec", "print(kept)") == "1\n"
    assert "NameError" in wired.mpremote("exec", "print(kept)", code=1)


def test_a_soft_reset_out_of_the_raw_repl_leaves_main_alone(wired):
    since = len(wired.run.log)
    wired.mpremote("soft-reset")
    wired.run.wait_log("MPY: soft reboot", since=since)
    wired.mpremote("resume", "exec", "print(1)")
    assert not [line for line in wired.run.log[since:] if "main starts" in line]
    code = "import machine; print(machine.reset_cause())"
    assert wired.mpremote("resume", "exec", code) == "5\n"


def test_ctrl_d_at_the_friendly_prompt_starts_main_again(wired):
    since = len(wired.run.log)
    with serial.Serial(str(wired.port)) as port:
        port.write(b"\r\x03")
        wired.run.wait_log("KeyboardInterrupt", since=since)
        port.write(b"\x04")
        wired.rebooted(since, 5)
    assert any("MPY: soft reboot" in line for line in wired.run.log[since:])


def test_a_hard_reset_starts_main_again(wired):
    since = len(wired.run.log)
    wired.mpremote("reset")
    wired.rebooted(since, 2)
    since = len(wired.run.log)
    wired.run.reset()
    wired.rebooted(since, 1)
    assert wired.run.resets[-2:] == [2, 1]


def test_a_program_that_runs_is_interrupted_by_the_next_connection(wired):
    wired.mpremote("exec", "--no-follow", "while True: pass")
    assert wired.mpremote("exec", "print('free')") == "free\n"


def test_a_folder_of_the_host_is_mounted(wired, tmp_path):
    host = tmp_path / "host"
    host.mkdir()
    (host / "lent.py").write_text("VALUE = 'from the host'\n")
    code = (
        "import lent, os; print(lent.VALUE, os.listdir('/remote'))\n"
        "f = open('/remote/out', 'wb'); f.write(bytes(range(256))); f.close()"
    )
    assert "from the host ['lent.py']" in wired.mpremote("mount", host, "exec", code)
    assert (host / "out").read_bytes() == bytes(range(256)), "Ctrl-C is a byte like any other"


def test_mip_installs_from_a_folder(wired, tmp_path):
    (tmp_path / "thing.py").write_text("NAME = 'thing'\n")
    package = {"urls": [["thing.py", "thing.py"]], "version": "1"}
    (tmp_path / "package.json").write_text(json.dumps(package))
    wired.mpremote("mip", "install", tmp_path / "package.json")
    assert wired.board.read("/lib/thing.py") == b"NAME = 'thing'\n"
    assert wired.mpremote("exec", "import thing; print(thing.NAME)") == "thing\n"


def test_output_that_nobody_fetched_is_dropped_by_the_next_program(bench, tmp_path):
    board = bench.board("import time\nprint('old')\nfor _ in range(999): time.sleep_ms(10)")
    run = bench.start(board, port=tmp_path / "port")
    run.wait_log("old")
    with serial.Serial(str(tmp_path / "port"), timeout=1) as port:
        port.write(b"\x03")
        assert b"old" not in port.read_until(b">>> ")


def test_the_watchdog_goes_on_over_a_soft_reset(bench, tmp_path):
    board = bench.board("import machine\nmachine.WDT(timeout=1500)\nprint('armed')")
    run = bench.start(board, port=tmp_path / "port")
    run.wait_log("armed")
    subprocess.run([*MPREMOTE, "connect", str(tmp_path / "port"), "soft-reset"], check=True)
    run.wait_log("board: watchdog reset", timeout=5)


@pytest.mark.exact
def test_the_heap_of_a_wired_board_is_that_of_any_other(bench, tmp_path):
    board = bench.board()
    board.write("/boot.py", "import micropython\nmicropython.mem_info()")
    run = bench.start(board, heap="80K", port=tmp_path / "port")
    free = int(run.wait_log(r"GC: .* free: (\d+)")[1])
    assert 0 <= folder.parse_size("80K") - free < 2048


def test_the_port_of_the_command_line(bench, tmp_path):
    board, link = bench.board("print('up')"), tmp_path / "port"
    link.symlink_to("/dev/pts/no-such")  # what a killed run leaves
    command = [*FLYVE, "board", "run", str(board.path), "--pty", str(link)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"up\n"
        done = subprocess.run(
            [*MPREMOTE, "connect", str(link), "exec", "print('here')"],
            capture_output=True,
            timeout=30,
            check=True,
        )
        assert done.stdout == b"here\n"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
    assert process.returncode == 0
    assert not os.path.lexists(link)


def test_a_port_never_takes_the_place_of_a_file(bench, tmp_path):
    (tmp_path / "file").write_text("mine")
    board = bench.board()
    with pytest.raises(folder.BoardError, match="another name"):
        board.start(port=tmp_path / "file").wait()
    with pytest.raises(folder.BoardError, match="cannot make"):
        board.start(port=tmp_path / "none" / "port").wait()
    assert (tmp_path / "file").read_text() == "mine"


def test_a_board_on_a_wire_that_nobody_reads_runs_on(bench, tmp_path):
    board = bench.board("import time\nfor n in range(3000): print('x' * 99)\nprint('done')")
    run = bench.start(board, port=tmp_path / "port")
    run.wait_log("done")


def test_a_board_stands_still_while_its_en_pin_is_held(wired):
    since = len(wired.run.log)
    wired.run.hold()
    wired.run.wait_log("held in reset", since=since)
    assert wired.port.exists(), "the port is not the chip's"
    wired.run.reset()
    wired.rebooted(since, 1)
    wired.run.hold()
    assert wired.run.kill() == 0
