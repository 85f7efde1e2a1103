"""`flyve provision --batch`: many boards on ports at a time, each with its result."""

import ast
import csv
import gc
import signal
import subprocess
import sys
import threading
import time

import pytest
import serial
from click.testing import CliRunner

from flyve_mdm.board import boards_table, labels, results, setup_network, witness
from flyve_mdm.board.batch import Batch
from flyve_mdm.board.provision import Plan
from flyve_mdm.board.target import open_target
from flyve_mdm.provision import provision

PSK = "flyve-demo"
COLUMNS = ("port", "name", "chip", "deeplink", "wifi", "psk", "set")


class Lab:
    """Boards on ports, and a table of them."""

    def __init__(self, bench, folder, backend):
        self._bench, self._folder, self.backend = bench, folder, backend
        self.table = folder / "boards.csv"
        self.rows = []

    def board(self, **how):
        """A board with the firmware, switched on: its port."""
        board = self._bench.board(flash_size=1 << 20, aps={"flyve": PSK}, **how)
        board.deploy()
        run = self._bench.start(board, port=self._folder / f"port{len(self._bench.boards)}")
        port = run.wait_port()
        run.wait_log("setup: network")  # not in the middle of its start
        return port

    def add(self, port, name, **cells):
        given = {"wifi": "flyve", "psk": PSK, "set": f'ntp=["{self.backend.ntp}"]'}
        self.rows.append({"port": port, "name": name, **given, **cells})

    def invite(self):
        return self.backend.invite(f"user{len(self.rows)}@example.org")

    def write(self):
        with self.table.open("w", newline="") as file:
            out = csv.DictWriter(file, COLUMNS, restval="")
            out.writeheader()
            out.writerows(self.rows)
        self.table.chmod(0o600)

    def flyve(self, *options, code=0):
        """What the command prints, and its results by name."""
        self.write()
        known = {"FLYVE_URL": self.backend.url, "FLYVE_USER_TOKEN": self.backend.admin_token}
        words = ["--batch", str(self.table), *options]
        result = CliRunner().invoke(provision, words, env=known)
        assert result.exit_code == code, result.output
        said = result.stdout + result.stderr
        for row in self.rows:
            assert row["psk"] not in said
            assert not row.get("deeplink") or row["deeplink"] not in said
        with self.table.with_suffix(".result.csv").open() as file:
            found = {row["name"]: row for row in csv.DictReader(file)}
        text = self.table.with_suffix(".result.csv").read_text()
        assert not any(row["psk"] in text for row in self.rows)
        return said, found


@pytest.fixture
def lab(bench, tmp_path, backend):
    return Lab(bench, tmp_path, backend)


def test_boards_are_provisioned_and_seen_online_by_the_backend(lab):
    for name in ("one", "two"):
        lab.add(lab.board(), name, deeplink=lab.invite())
    said, found = lab.flyve("--wait-online", "60", "--jobs", "2")
    assert "2 boards: 2 online" in said
    assert {row["state"] for row in found.values()} == {"online"}
    serials = {agent.serial for agent in lab.backend.agents if agent.online}
    assert {row["serial"] for row in found.values()} == serials
    made = labels.read(lab.table.with_suffix(".labels.csv"))
    assert {label.serial for label in made} == serials
    for label, board in zip(
        sorted(made, key=lambda one: one.name), lab._bench.boards, strict=True
    ):
        assert label.mac == board.mac
        assert label.passphrase.encode() == board.entry(*setup_network.KEY)
        assert label.passphrase not in said


def test_virtual_boards_that_are_off_are_switched_on_while_they_are_waited_for(lab):
    for name, psk, wait, code in (("good", PSK, "60", 0), ("bad", "wrong-one", "20", 1)):
        board = lab._bench.board(flash_size=1 << 20, aps={"flyve": PSK})
        board.deploy()
        lab.add(str(board.path), name, deeplink=lab.invite(), psk=psk)
        _, found = lab.flyve("--wait-online", wait, code=code)
    assert found["good"]["state"] == "online"
    assert found["bad"]["state"] == "failed" and "wrong passphrase" in found["bad"]["reason"]
    for board in lab._bench.boards:
        board.write("/off", "")  # one that runs would refuse it


def test_what_to_type_for_labels_can_be_typed(lab, tmp_path):
    lab.table = tmp_path / "my boards.csv"
    lab.add(lab.board(), "one")
    said, _ = lab.flyve()
    assert "1 board: 1 done" in said
    assert f"flyve label '{tmp_path}/my boards.labels.csv' -o" in said


def test_a_board_that_came_too_late_is_done_without_being_written_again(lab):
    lab.add(lab.board(), "late", deeplink=lab.invite())
    _, found = lab.flyve("--wait-online", "1", code=1)
    assert "online" in found["late"]["reason"], found
    assert lab.backend.wait_for(lambda: any(agent.online for agent in lab.backend.agents), 60)
    with serial.Serial(lab.rows[0]["port"], exclusive=True):  # nobody asks for it again
        _, found = lab.flyve("--wait-online", "60")
    assert found["late"]["state"] == "online"


def test_run_again_it_goes_on_with_the_boards_that_are_not_done(lab, tmp_path):
    lab.add(lab.board(), "here")
    lab.add(str(tmp_path / "later"), "later")
    _, found = lab.flyve(code=1)
    assert (found["here"]["state"], found["later"]["state"]) == ("done", "failed")
    lab.rows[1]["port"] = lab.board()
    with serial.Serial(lab.rows[0]["port"], exclusive=True):  # nobody asks for it again
        _, found = lab.flyve()
    assert {row["state"] for row in found.values()} == {"done"}


def test_firmware_comes_onto_boards_that_are_done_but_for_that(lab):
    lab.add(lab.board(), "bare")
    lab.flyve()
    with open_target(lab.rows[0]["port"]) as board:
        board.change({"/flyve/agent.mpy": None})
    assert not lab.flyve()[1]["bare"]["deployed"]
    _, found = lab.flyve("--deploy")
    assert found["bare"]["deployed"] == "yes" and lab._bench.boards[0].read("/flyve/agent.mpy")


def test_online_means_since_it_was_written(lab):
    lab.add(lab.board(), "moved")
    lab.write()
    files = lab.table.with_suffix(".result.csv"), lab.table.with_suffix(".labels.csv")
    found = results.resume(files[0], boards_table.read(lab.table, Plan()))
    # What a broker has of a board that was switched off a moment ago.
    known = {"wait": 1, "online": lambda _: "2026-11-27 10:00:00"}
    Batch(files[0], found, files[1], **known).run(1)
    assert (found[0].state, found[0].reason) == ("failed", "not online after 1 s")


def test_ctrl_c_lets_a_board_be_written_and_the_next_run_goes_on(lab):
    for name in ("one", "two", "three"):
        lab.add(lab.board(), name)
    lab.write()
    command = [sys.executable, "-m", "flyve_mdm.cli", "provision", "--batch", str(lab.table)]
    with subprocess.Popen(
        [*command, "--jobs", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stderr.readline() == "one: done\n"
        run.send_signal(signal.SIGINT)
        said = run.stdout.read() + run.stderr.read()
    assert run.returncode == 1
    assert "what is being written comes to its end" in said
    assert "done, " in said and " not begun" in said
    with serial.Serial(lab.rows[0]["port"], exclusive=True):  # nobody asks for it again
        _, found = lab.flyve()
    assert {row["state"] for row in found.values()} == {"done"}


def test_the_serial_number_on_the_board_counts(lab):
    lab.add(lab.board(), "own", deeplink=lab.invite())
    port = lab.rows[0]["port"]
    result = CliRunner().invoke(provision, [port, "--serial", "OWN-7"])
    assert result.exit_code == 0, result.output
    _, found = lab.flyve("--wait-online", "60")
    assert found["own"]["serial"] == "OWN-7"


@pytest.mark.parametrize("name, text", [("boards.csv", None), ("mine.csv", "a,b\n1,2\n")])
def test_no_other_file_is_overwritten_by_results(lab, tmp_path, name, text):
    lab.add("u0", "one")
    path = tmp_path / name
    if text:
        path.write_text(text)
    lab.write()
    before = path.read_bytes()
    given = ["--batch", str(lab.table), "--result", str(path)]
    result = CliRunner().invoke(provision, given)
    assert result.exit_code == 1
    assert "no result of a batch: name another" in result.output
    assert path.read_bytes() == before


def test_passphrases_of_labels_that_cannot_be_read_are_not_lost(lab):
    lab.add(lab.board(), "one")
    lab.write()
    file = lab.table.with_suffix(".labels.csv")
    file.write_bytes(b"mac,name\n02aabbccdd09,Z\xfcrich\n")
    result = CliRunner().invoke(provision, ["--batch", str(lab.table)])
    assert result.exit_code == 1 and "no table in CSV and UTF-8" in result.output
    assert "wifi" not in {key for _, key, _, _ in lab._bench.boards[0].nvs()}


def test_on_a_terminal_a_name_is_no_markup(lab, monkeypatch):
    lab.add(lab.board(), "[/attic] [red]1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")  # rich's own: it takes the output for a terminal
    said, found = lab.flyve()
    assert "[/attic] [red]1: done" in said
    assert found["[/attic] [red]1"]["state"] == "done"


def test_each_wrong_row_has_its_own_reason(lab, device, tmp_path):
    lab.add(lab.board(), "good", deeplink=lab.invite())
    lab.add(str(tmp_path / "nowhere"), "unplugged")
    lab.add(lab.board(), "busy")
    lab.add(lab.board(ota=True), "chip", chip="ESP32-C3")
    lab.add(lab.board(), "link", deeplink="http://flyve.org/deeplink/?data=bm9uc2Vuc2U=")
    first = device(lab.backend, serial="first")
    first.enroll()
    lab.add(lab.board(), "used", deeplink=first.link)
    lab.add(lab.board(), "passphrase", psk="not-the-one", deeplink=lab.invite())
    with serial.Serial(lab.rows[2]["port"], exclusive=True):
        options = ("--keep-going", "--wait-online", "25", "--jobs", "7")
        _, found = lab.flyve(*options, code=1)
    reasons = {name: row["reason"] for name, row in found.items()}
    assert found["good"]["state"] == "online"
    assert "no such serial port" in reasons["unplugged"]
    assert "in use by another program" in reasons["busy"]
    assert "wrong chip" in reasons["chip"]
    assert "this deeplink cannot be used" in reasons["link"]
    assert reasons["used"].startswith("refused")
    assert "wrong passphrase" in reasons["passphrase"]
    assert [row["state"] for row in found.values()].count("failed") == 6


def test_one_bad_row_keeps_all_boards_as_they_are(lab):
    port = lab.board()
    lab.add(port, "good")
    lab.add("u1", "bad", deeplink="nonsense")
    said, found = lab.flyve(code=1)
    assert found["good"]["state"] == "not begun" and "nothing was written" in said
    assert "wifi" not in {key for _, key, _, _ in lab._bench.boards[0].nvs()}


def test_a_port_that_goes_away_in_the_middle_loses_nothing(lab):
    lab.add(lab.board(), "pulled")
    run = lab._bench._runs[0]
    pulled = threading.Timer(0.5, run.kill)
    pulled.start()
    lab.flyve("--deploy", code=1)
    pulled.join()
    board = lab._bench.boards[0]
    lab.rows[0]["port"] = lab._bench.start(board, port=board.path / "port").wait_port()
    lab._bench._runs[-1].wait_log(
        r"^board: |^\d+ INFO |MicroPython|>>>"
    )  # it has come to something
    _, found = lab.flyve("--deploy")
    assert found["pulled"]["state"] == "done"


def test_a_board_that_is_unplugged_while_it_is_waited_for_is_said(lab):
    lab.add(lab.board(), "pulled")
    with witness.Witness(lab.rows[0]["port"]) as watched:
        assert not watched.why()
        lab._bench._runs[0].kill()
        while not watched.why():
            time.sleep(0.05)
    assert watched.why().endswith("went away: is it plugged in?")


@pytest.mark.parametrize(
    "options, problem",
    [
        ([], "give a TARGET, or --batch"),
        (["u0", "--deploy", "--email", "a@b.org"], "belong to --batch"),
        (["u0", "--keep-going", "--email", "a@b.org"], "belong to --batch"),
    ],
)
def test_wrong_usage_is_said(options, problem):
    result = CliRunner().invoke(provision, options)
    assert result.exit_code == 2
    assert problem in result.output


def test_waiting_needs_a_backend_and_an_invitation_serves_one_board(lab, monkeypatch):
    monkeypatch.delenv("FLYVE_URL", raising=False)
    lab.add("u0", "one")
    lab.write()
    for options, problem in (
        (["--wait-online", "5"], "which GLPI? set FLYVE_URL"),
        (["--deeplink", lab.invite()], "serves one board"),
        (["--serial", "S-1"], "a serial number is one board's"),
    ):
        result = CliRunner().invoke(provision, ["--batch", str(lab.table), *options])
        assert result.exit_code == 2
        assert problem in result.output


def test_boards_whose_answers_are_parsed_at_a_time_do_not_fail(tmp_path):
    class Interrupting:
        def __init__(self):
            self.me = self

        def __del__(self):
            time.sleep(0.0001)  # lets another thread parse, in the middle of ours

    def parse():
        for _ in range(30):
            Interrupting()
            try:
                ast.literal_eval("[" + "(1, 2), " * 400 + "]")
            except SystemError as error:
                errors.append(error)

    errors = []
    Batch(tmp_path / "results.csv", [], tmp_path / "labels.csv").run(1)
    threads = [threading.Thread(target=parse) for _ in range(4)]
    before = gc.get_threshold()
    gc.set_threshold(50, 1000, 1000)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        gc.set_threshold(*before)
    assert not errors
