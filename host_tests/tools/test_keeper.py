"""What a command of `flyve` leaves behind when it is ended: nothing, however it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flyve_mdm.backend.broker import find_mosquitto
from flyve_mdm.board.board import VirtualBoard

MAIN = "from flyve_mdm.cli import main; main()"
FLYVE = [sys.executable, "-c", MAIN]
# Also where nohup has started these tests, so that no program takes notice of SIGHUP.
HEARING = [sys.executable, "-c", f"import signal as s; s.signal(s.SIGHUP, s.SIG_DFL); {MAIN}"]
pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")


def processes(folder):
    """Those that have this folder for their temporary files."""
    mark, found = f"\0TMPDIR={folder}\0".encode(), []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in b"\0" + (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ")[:200])
        except OSError:
            pass
    return [line for line in found if line]


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return result


# B4
@pytest.mark.parametrize(
    ("command", "busy", "number"),
    [
        (["backend"], "flyve-backend-*/passwords", signal.SIGHUP),
        (["backend", "--tls"], "flyve-backend-*/passwords", signal.SIGTERM),
        (["backend"], "flyve-backend-*/passwords", signal.SIGKILL),
        (["demo", "--plain"], "flyve-demo-*/board/nvs.bin", signal.SIGTERM),
        (["fleet", "3"], "flyve-fleet-*/board1/state.bin", signal.SIGHUP),
        (["board", "run", "BOARD", "--pty", "PORT"], "port", signal.SIGKILL),
    ],
    ids=lambda value: value.name if isinstance(value, signal.Signals) else None,
)
def test_no_process_and_no_folder_stays_whatever_ends_a_command(tmp_path, command, busy, number):
    board, folder = tmp_path / "board", tmp_path / "tmp"
    folder.mkdir()
    if "BOARD" in command:
        VirtualBoard.create(board).deploy()
    if not find_mosquitto():
        busy = busy.replace("/passwords", "")  # the file of its that tells that it starts
    named = {"BOARD": str(board), "PORT": str(folder / "port")}
    argv = [*HEARING, *(named.get(word, word) for word in command)]
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(
        argv,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        until(lambda: process.poll() is not None or list(folder.glob(busy)))
        assert process.poll() is None
        process.send_signal(number)
        try:
            process.wait(20)
        finally:
            process.kill()
    until(lambda: not processes(folder) and not list(folder.iterdir()), 10)


# B4
def test_what_nohup_started_outlives_its_terminal(tmp_path):
    board = VirtualBoard.create(tmp_path / "board")
    board.write("/main.py", "import time\nprint('up')\ntime.sleep(60)")
    argv = ["nohup", *FLYVE, "board", "run", str(board.path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        assert process.stdout.readline() == b"up\n"
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        process.terminate()
