"""deploy, provision, reset, doctor and monitor on a serial port: mpremote on a virtual board."""

import base64
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import serial
from click.testing import CliRunner

from flyve_mdm import VERSION
from flyve_mdm.board import cli_target, doctor, image, monitor, target
from flyve_mdm.board.board import VirtualBoard
from flyve_mdm.board.folder import BoardError
from flyve_mdm.board.monitor import Stamps
from flyve_mdm.board.remote import SerialBoard
from flyve_mdm.build import firmware
from flyve_mdm.provision import provision as provision_command
from host_tests.kit.sample import sample

FIELDS = "http://api.example.com/;usertoken0123456789;invitationtoken0123456789;;;;"
LINK = "http://flyve.org/?data=" + base64.b64encode(FIELDS.encode()).decode()


class Desk:
    """A board on a port, and the commands that work on it."""

    def __init__(self, board, run, port):
        self.board, self.run, self.port = board, run, port

    def flyve(self, command, *args, code=0, **how):
        result = CliRunner().invoke(command, [self.port, *map(str, args)], **how)
        assert result.exit_code == code, result.output
        return result.output


@pytest.fixture
def at_desk(bench, tmp_path, monkeypatch):
    """Starts a board on a port; `said`: when it is ready."""
    monkeypatch.delenv("FLYVE_DEEPLINK", raising=False)
    monkeypatch.delenv("FLYVE_PSK", raising=False)

    def start(board, said):
        run = bench.start(board, port=tmp_path / "port")
        run.wait_log(said)
        return Desk(board, run, run.wait_port())

    return start


@pytest.fixture
def desk(bench, at_desk):
    return at_desk(bench.board("print('main runs')", flash_size=512 * 1024), "main runs")


@pytest.fixture
def fitted(bench, at_desk):
    """A desk with the firmware on the board."""
    board = bench.board(flash_size=512 * 1024)
    board.deploy()
    return at_desk(board, "setup: network .* is open")


def tree_of(folder):
    return {
        "/" + file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def entries(board):
    return {key: value for _, key, _, value in board.nvs()}


@pytest.fixture
def small(tmp_path):
    """A tree of a few small files."""
    tree = tmp_path / "tree"
    for name in ("boot.py", "main.py", "flyve/a.py", "flyve/b.py", "lib/c.py"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(f"print({name!r})\n")
    return tree


def test_deploy_installs_the_firmware_and_starts_it(desk):
    out = desk.flyve(cli_target.deploy)
    wanted = tree_of(firmware.TREE)
    assert f"{len(wanted)} files installed, {len(wanted)} of them new" in out
    assert {path: desk.board.read(path) for path, _ in desk.board.files()} == wanted
    desk.run.wait_log("setup: network .* is open")
    assert "0 of them new" in desk.flyve(cli_target.deploy)


def test_deploy_sends_what_changed_and_removes_what_is_gone(desk, small):
    with SerialBoard(desk.port) as board:
        assert board.deploy(small) == 5
        (small / "flyve" / "b.py").unlink()
        (small / "flyve" / "a.py").write_text("print('new')\n")
        board.change({"/lib/mine.py": b"mine", "/flyve.a/x.py": b"old slot"}, {firmware.UPDATE: 1})
        seen = []
        assert board.deploy(small, lambda *what: seen.append(what)) == 1
    assert seen == [("/flyve/a.py", 13, 13)]
    names = [path for path, _ in desk.board.files()]
    assert "/flyve/b.py" not in names and "/flyve.a/x.py" not in names
    assert "/lib/mine.py" in names
    assert "update" not in entries(desk.board), "a slot would run instead of what was deployed"


def test_a_deployment_that_was_cut_is_finished_by_the_next(bench, tmp_path, small):
    board = bench.board()
    for cut in (2, 5, 8):
        run = bench.start(board, port=tmp_path / "port", cut_after=cut)
        with pytest.raises(BoardError, match="went away|no MicroPython"):
            with SerialBoard(run.wait_port(), answer=2) as serial_board:
                serial_board.deploy(small)
        assert run.wait() == 75
    run = bench.start(board, port=tmp_path / "port")
    with SerialBoard(run.wait_port()) as serial_board:
        serial_board.deploy(small)
    found = {path: board.read(path) for path, _ in board.files()}
    assert found == tree_of(small)


def test_a_cut_deployment_of_the_archive_leaves_an_agent_that_runs(bench, tmp_path):
    board = bench.board(flash_size=1 << 20)
    board.deploy(firmware.modules(firmware.TREE))  # each module a file, as it was once
    whole = bench.copy(board)
    run = bench.start(whole, port=tmp_path / "port")
    with SerialBoard(run.wait_port()) as serial_board:
        serial_board.deploy(firmware.TREE)
        ops = run.flash_ops
    run.kill()
    assert {path: whole.read(path) for path, _ in whole.files()} == tree_of(firmware.TREE)
    # Then the last files are renamed, and the old ones go.
    for place in sample("archive", range(ops - 100, ops), 3):
        cut = bench.copy(board)
        run = bench.start(cut, port=tmp_path / "port", cut_after=place)
        with pytest.raises(BoardError, match="went away"):
            with SerialBoard(run.wait_port(), answer=2) as serial_board:
                serial_board.deploy(firmware.TREE)
        assert run.wait() == 75
        run = bench.start(cut)
        run.wait_log("setup: network .* is open")
        run.kill()


def test_a_deployment_removes_the_folders_that_it_empties(bench, tmp_path, small):
    board = bench.board()
    board.deploy(small)
    for path in ("/flyve/jobs/c.py", "/flyve.a/flyve/jobs/c.py", "/flyve.b/x.py"):
        board.write(path, b"")
    wired = bench.copy(board)
    board.deploy(small)
    with SerialBoard(bench.start(wired, port=tmp_path / "port").wait_port()) as serial_board:
        serial_board.deploy(small)
    for made in (board, wired):
        assert image.load(made.path / "flash.img").folders() == ["/flyve", "/lib"]


def test_a_tree_that_does_not_fit_is_refused_before_anything_is_written(bench, tmp_path, small):
    board = bench.board(flash_size=64 * 1024)
    run = bench.start(board, port=tmp_path / "port")
    (small / "lib" / "big.py").write_bytes(b"#" * 60000)
    with SerialBoard(run.wait_port()) as serial_board:
        with pytest.raises(BoardError, match="do not fit"):
            serial_board.deploy(small)
    assert board.files() == []


def test_provision_over_the_wire_writes_what_it_writes_to_a_folder(desk, tmp_path):
    secrets = ["--deeplink", "-", "--wifi", "one", "--psk", "-"]
    settings = ["--email", "a@example.org", "--set", "keepalive=30"]
    given = f"{LINK}\npassword1\n"
    out = desk.flyve(provision_command, *secrets, *settings, input=given)
    assert "password1" not in out and LINK not in out
    other = VirtualBoard.create(tmp_path / "other")
    arguments = [str(other.path), *secrets, *settings]
    CliRunner().invoke(provision_command, arguments, input=given)
    for path in ("/deeplink", "/config.json"):
        assert desk.board.read(path) == other.read(path)
    assert entries(desk.board)["wifi"] == entries(other)["wifi"]
    assert b"password1" in entries(desk.board)["wifi"]
    assert not any("password1" in line and "set_blob" not in line for line in desk.run.log)


def test_settings_are_merged_over_the_wire(desk):
    desk.flyve(provision_command, "--set", "keepalive=30")
    desk.flyve(provision_command, "--set", "port=1883", "--set", "keepalive=null")
    assert json.loads(desk.board.read("/config.json")) == {"port": 1883}


def test_wrong_input_leaves_the_board_alone(desk):
    desk.run.wait_log("help()")  # the end of what it says when it starts
    since = len(desk.run.log)
    desk.flyve(provision_command, "--set", "nosuch=1", code=1)
    assert desk.run.log[since:] == [], "it was not even interrupted"


def test_reset_leaves_firmware_and_wifi(desk):
    desk.flyve(provision_command, "--deeplink", LINK, "--wifi", "a", "--psk", "password1")
    with SerialBoard(desk.port) as board:
        board.change({}, {("flyve", "rec.a"): b"1", ("flyve", "rec.b"): b"2"})
    for _ in range(2):
        desk.flyve(cli_target.reset)
        assert [path for path, _ in desk.board.files()] == ["/main.py"]
        assert list(entries(desk.board)) == ["setup_psk", "wifi"]


# A32
def test_what_a_cut_left_goes_with_a_reset_and_with_a_deployment_that_has_nothing_to_send(
    desk, small
):
    with SerialBoard(desk.port) as board:
        board.deploy(small)
        desk_files = lambda: [path for path, _ in desk.board.files()]  # noqa: E731
        board.run("open('/deploy.part', 'w').close()")
        assert board.deploy(small) == 0
        assert "/deploy.part" not in desk_files()
        board.run("open('/deploy.part', 'w').close()")
    desk.flyve(cli_target.reset)
    assert "/deploy.part" not in desk_files()


def test_a_visit_counts_as_no_crash_of_the_agent(fitted):
    for _ in range(3):
        since = len(fitted.run.log)
        fitted.flyve(cli_target.reset)
        fitted.run.wait_log("setup: network .* is open", since=since)
    assert entries(fitted.board).get("crashes", 0) <= 1


def test_a_board_that_does_not_answer_is_said(bench, tmp_path):
    board = bench.board(
        "import micropython, time\nmicropython.kbd_intr(-1)\nprint('deaf')\ntime.sleep(60)"
    )
    run = bench.start(board, port=tmp_path / "port")
    run.wait_log("deaf")
    board = SerialBoard(run.wait_port(), answer=0.4)
    with pytest.raises(BoardError, match="no MicroPython answers"):
        board.read("/x")


# B12
def test_a_board_that_is_just_starting_is_tried_again_and_that_is_said(bench, tmp_path):
    deaf = "micropython.kbd_intr(-1)\nprint('deaf')\ntime.sleep(2)\nmicropython.kbd_intr(3)"
    board = bench.board(f"import micropython, time\n{deaf}\nprint('hears')\ntime.sleep(60)")
    run = bench.start(board, port=tmp_path / "port")
    run.wait_log("deaf")
    told = []
    with SerialBoard(run.wait_port(), answer=1, tell=told.append) as serial_board:
        assert serial_board.run("print(1)").strip() == "1"
    assert told and all("trying for another" in text for text in told)


def test_a_port_that_is_in_use_is_said(desk):
    with serial.Serial(desk.port, exclusive=True):
        assert "another program" in desk.flyve(cli_target.deploy, code=1)


# B9
def test_monitor_says_at_once_that_a_port_is_in_use(desk):
    begun = time.monotonic()
    with serial.Serial(desk.port, exclusive=True):
        said = desk.flyve(cli_target.monitor, code=1)
    assert "is in use by another program" in said and said.count("\n") == 1
    assert time.monotonic() - begun < 5


def watched(port, enough):
    """What monitor shows of a port, until enough(what it has shown) is true."""
    shown = []

    def show(text):
        shown.append(text)
        if enough("\n".join(shown)):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        monitor.watch(port, Stamps(show), show)
    return "\n".join(shown)


# B9
@pytest.mark.timeout(60)
def test_monitor_shows_the_newest_state_of_an_idle_board(fitted, monkeypatch):
    monkeypatch.setattr(monitor, "_SILENCE", 0.3)
    shown = watched(fitted.port, lambda text: "console:" in text)
    assert re.search(r"INFO console: blank; no Wi-Fi; up \d+ s; last trouble: none", shown)
    assert fitted.run.running and not fitted.run.resets


# B9
@pytest.mark.timeout(60)
def test_monitor_says_that_a_board_is_at_its_prompt(bench, at_desk, monkeypatch):
    monkeypatch.setattr(monitor, "_SILENCE", 0.3)
    desk = at_desk(bench.board("print('main ends')"), "main ends")
    assert "prompt: no agent runs" in watched(desk.port, lambda text: "prompt" in text)


# B9
@pytest.mark.timeout(60)
def test_monitor_says_that_a_board_does_not_answer(bench, at_desk, monkeypatch):
    monkeypatch.setattr(monitor, "_SILENCE", 0.3)
    monkeypatch.setattr(monitor, "_ANSWER", 0.3)
    desk = at_desk(bench.board("import time\nprint('up')\ntime.sleep(60)"), "up")
    assert "does not answer" in watched(desk.port, lambda text: "open" in text)


# B9
def test_a_line_on_the_console_is_answered_once(fitted):
    since = len(fitted.run.log)
    with serial.Serial(fitted.port, write_timeout=1) as console:
        console.write(b"hello\r\n")
    fitted.run.wait_log("console: blank", 10, since)
    time.sleep(1.5)  # a step of an idle agent, and more
    assert sum("console: blank" in line for line in fitted.run.log) == 1


# B6
def test_a_port_that_another_board_has_is_not_taken_from_it(desk, bench):
    with pytest.raises(BoardError, match="leads to a port that is in use"):
        bench.board().start(port=Path(desk.port)).wait()
    assert desk.flyve(cli_target.reset)


@pytest.mark.parametrize(
    "name, message",
    [
        ("/dev/no-such-port", "no such serial port"),
        ("id:12345", "no USB port has this serial number"),
        (__file__, "neither a serial port nor"),
        ("u3", "no such serial port"),
        ("auto", "there is no USB port: plug the board in"),
    ],
)
def test_a_port_that_is_not_there_is_said_in_one_line(name, message, monkeypatch):
    monkeypatch.setattr(target.list_ports, "comports", list)
    for command in (cli_target.deploy, cli_target.reset, cli_target.monitor, cli_target.doctor):
        result = CliRunner().invoke(command, [name])
        assert result.exit_code == 1
        assert message in result.output and result.output.count("\n") == 1


class Usb:
    vid = 0x10C4

    def __init__(self, device, serial_number):
        self.device, self.serial_number, self.description = device, serial_number, "bridge"


def test_auto_takes_the_only_port_and_never_guesses(monkeypatch):
    ports = [Usb("/dev/ttyUSB7", "aa")]
    monkeypatch.setattr(target.list_ports, "comports", lambda: ports)
    assert target.find_port("auto") == "/dev/ttyUSB7"
    ports.append(Usb("/dev/ttyUSB8", "bb"))
    assert target.find_port("id:bb") == "/dev/ttyUSB8"
    with pytest.raises(BoardError, match="2 USB ports .*ttyUSB7 .*ttyUSB8"):
        target.find_port("auto")


def test_doctor_finds_a_board_fit_and_names_what_is_used(fitted):
    out = fitted.flyve(cli_target.doctor)
    assert "the agent runs on this MicroPython" in out
    assert "filesystem    littlefs" in out
    assert re.search(rf"files +all \d+ are as flyve {re.escape(VERSION)} compiles them", out)
    assert "/lib/umqtt/simple.mpy 1.3.4" in out and "/lib/urequests.mpy 0.9.1" in out
    assert "bad" not in out and "warning" not in out


# B12
def test_doctor_shows_the_heap_as_it_stands_and_that_of_esp_idf(fitted):
    out = fitted.flyve(cli_target.doctor)
    assert re.search(r"heap +\d+ KiB of \d+ KiB free for Python, \d+ KiB in one piece", out)
    assert re.search(r"TLS memory +\d+ KiB free of ESP-IDF's, the largest block \d+ KiB", out)


# Figures of an ESP32 without PSRAM and its stock image.
def test_doctor_is_content_with_the_heap_of_a_stock_board():
    said = (
        "stack: 736 out of 15360\n"
        "GC: total: 56000, used: 3552, free: 52448, max new split: 110592\n"
        " No. of 1-blocks: 61, 2-blocks: 13, max blk sz: 32, max free sz: 3187\n"
        "heap blocks of 16 ESP-IDF 139000 110592\n"
    )
    heap, tls = doctor.memory(said)
    assert (heap.level, tls.level) == (doctor.OK, doctor.OK)
    assert heap.text == (
        "51 KiB of 55 KiB free for Python, 50 KiB in one piece; "
        "108 KiB more could be taken from ESP-IDF"
    )
    assert tls.text == "136 KiB free of ESP-IDF's, the largest block 108 KiB"


# B2
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"/flyve/agent.mpy": None}, "/flyve/agent.mpy is missing"),
        ({"/flyve/__init__.mpy": None}, "/flyve/__init__.mpy is missing"),
        ({"/boot.py": None}, "/boot.py is missing"),
        ({"/main.py": None}, "/main.py is missing"),
        ({"/flyve/agent.mpy": b"M\x06\x00\x1f"}, "/flyve/agent.mpy is another"),
        ({"/flyve/link.py": b"x = 1\n"}, "/flyve/link.py is another"),
    ],
)
def test_doctor_compares_the_whole_tree(bench, tmp_path, change, said):
    board = bench.board(flash_size=512 * 1024)
    board.deploy()
    board.change(change)
    result = CliRunner().invoke(cli_target.doctor, [str(board.path)])
    assert result.exit_code == 1, result.output
    assert said in result.output and "`flyve deploy` puts that right" in result.output


def test_doctor_warns_of_another_library(fitted):
    with SerialBoard(fitted.port) as board:
        board.change({"/lib/urequests.py": b"x = 1\n"})
        board.change({"/lib/urequests.mpy": None})
    assert "/lib/urequests.py, another version" in fitted.flyve(cli_target.doctor)


def test_doctor_switches_a_virtual_board_on(tmp_path):
    board = VirtualBoard.create(tmp_path / "board")
    result = CliRunner().invoke(cli_target.doctor, [str(board.path)])
    assert result.exit_code == 0, result.output
    assert "`flyve deploy` puts it there" in result.output


def test_monitor_stamps_each_line_and_leaves_the_board_alone(bench, tmp_path):
    board = bench.board(
        "import time\nn = 0\nwhile True:\n    print('tick', n)\n    n += 1\n    time.sleep_ms(50)"
    )
    run = bench.start(board, port=tmp_path / "port")
    code = "from flyve_mdm.cli import main; main()"
    command = [sys.executable, "-c", code, "monitor", run.wait_port()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines = [process.stdout.readline() for _ in range(5)]
        process.send_signal(2)
        process.communicate(timeout=10)
    assert process.returncode == 0
    ticks = [int(line.split()[2]) for line in lines[1:]]
    assert ticks == list(range(ticks[0], ticks[0] + 4))
    assert all(line[2] == line[5] == ":" and line[8] == "." for line in lines)


def test_a_stamp_is_that_of_the_line_whatever_comes_at_once():
    lines, times = [], iter(["1", "2", "3"])
    stamps = Stamps(lines.append, lambda: next(times))
    for data in (b"on", b"e\r\ntw", b"o\r\n", b"rest"):
        stamps.feed(data)
    stamps.end()
    assert lines == ["1 one", "2 two", "3 rest"]
