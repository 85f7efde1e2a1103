"""`flyve flash`: esptool writes an image to the chip that it is for, or to none."""

import contextlib

import pytest
import serial
from click.testing import CliRunner

from flyve_mdm.board import cli_target
from flyve_mdm.board.board import VirtualBoard
from host_tests.tools.chip_images import C3, ESP32, NVS, OFFSETS, ROWS, S3, table, whole
from host_tests.tools.rom import Rom


def changed(image, at):
    return image[:at] + bytes([image[at] ^ 1]) + image[at + 1 :]


@pytest.fixture
def flash(tmp_path):
    """flash(chip on the port, image, ...): the result, the chip."""

    def flash(chip, image, *args, before=lambda rom: None, busy=False):
        (tmp_path / "firmware.bin").write_bytes(image)
        with Rom(chip) as rom, contextlib.ExitStack() as stack:
            before(rom)
            if busy:
                stack.enter_context(serial.Serial(rom.port, exclusive=True))
            arguments = [rom.port, "--image", str(tmp_path / "firmware.bin"), *args]
            return CliRunner().invoke(cli_target.flash, arguments), rom

    return flash


@pytest.mark.parametrize("chip", [ESP32, C3, S3])
def test_an_image_goes_to_the_offset_of_its_chip(flash, chip):
    result, rom = flash(chip, whole(chip))
    assert result.exit_code == 0, result.output
    assert f"at 0x{OFFSETS[chip]:x} of the ESP32" in result.output
    image = whole(chip)
    assert rom.flash[OFFSETS[chip] : OFFSETS[chip] + len(image)] == image
    assert set(rom.flash[: OFFSETS[chip]]) <= {0xFF}


@pytest.mark.parametrize("image, chip", [(ESP32, S3), (S3, ESP32), (C3, S3)])
def test_another_chip_is_left_alone(flash, image, chip):
    result, rom = flash(chip, whole(image))
    assert result.exit_code == 1
    assert "nothing was written" in result.output and result.output.count("\n") == 1
    assert set(rom.flash) == {0xFF}


def test_erase_blanks_the_whole_flash(flash):
    result, rom = flash(ESP32, whole(ESP32), "--erase")
    assert result.exit_code == 0, result.output
    assert 0xD0 in rom.commands
    _, rom = flash(ESP32, whole(ESP32))
    assert 0xD0 not in rom.commands, "NVS and files stay"


# B15
def test_what_lies_between_the_parts_of_an_image_stays(flash):
    def used(rom):
        rom.flash[:] = b"\xff" * 0x8000 + table() + bytes(len(rom.flash) - 0x8000 - len(table()))
        rom.flash[0x8000 + len(table()) : 0x8C00] = b"\xff" * (0xC00 - len(table()))
        rom.flash[NVS : NVS + 6] = b"secret"

    result, rom = flash(ESP32, whole(ESP32), before=used)
    assert result.exit_code == 0, result.output
    assert "NVS and files were left alone" in result.output
    assert rom.flash[NVS : NVS + 6] == b"secret"
    application = whole(ESP32)[0xF000:]
    assert rom.flash[0x10000 : 0x10000 + len(application)] == application
    assert rom.flash[0x200000:0x200004] == bytes(4), "the files"


# B15
def test_an_image_with_another_partition_table_asks_for_erase(flash):
    def used(rom):
        rom.flash[0x8000 : 0x8000 + len(table())] = table()

    other = whole(ESP32, [*ROWS, (1, 0x81, 0x200000, 0x200000, b"vfs")])
    result, rom = flash(ESP32, other, before=used)
    assert result.exit_code == 1
    assert "nothing was written. With --erase" in result.output
    assert rom.flash[0x1000:0x1004] == b"\xff" * 4
    assert flash(ESP32, other, "--erase", before=used)[0].exit_code == 0


# B14
def test_a_port_in_use_is_said_before_the_chip_is_asked(flash):
    result, rom = flash(ESP32, whole(ESP32), busy=True)
    assert result.exit_code == 1
    assert "is in use by another program" in result.output and result.output.count("\n") == 1
    assert rom.commands == []


@pytest.mark.parametrize(
    "image, message",
    [
        (b"hello" * 1000, "is no ESP32 firmware image"),
        (b"\xe9", "is no ESP32 firmware image"),
        (whole(ESP32)[:0x5000] + b"\xff" * 0x5000, "no partition table"),
        (whole(ESP32)[:32] + b"\x32\x54\xcd\xab" + b"\0" * 0x9000, "an application image"),
        # B14
        (changed(whole(ESP32), 0x20), "the boot loader is damaged"),
        (changed(whole(ESP32), 0x18000), "the application in factory is damaged"),
        (changed(whole(ESP32), 0x7004), "is damaged: the partition table's checksum"),
        (whole(ESP32)[:0x18000], "the application in factory is damaged"),
        (whole(ESP32)[:0xF000], "there is no application in it"),
        (whole(ESP32)[:12] + b"\x99\x99" + whole(ESP32)[14:], "does not know"),
    ],
)
def test_a_file_that_is_no_whole_image_is_refused_before_the_port_is_opened(flash, image, message):
    result, rom = flash(ESP32, image)
    assert result.exit_code == 1
    assert message in result.output
    assert rom.commands == []


def test_a_port_that_is_not_there_is_said(tmp_path):
    (tmp_path / "firmware.bin").write_bytes(whole(ESP32))
    arguments = ["/dev/no-such-port", "--image", str(tmp_path / "firmware.bin")]
    result = CliRunner().invoke(cli_target.flash, arguments)
    assert result.exit_code == 1
    assert "no such serial port" in result.output and result.output.count("\n") == 1


def test_a_virtual_board_has_no_port_and_what_there_is_for_it_is_said(tmp_path):
    (tmp_path / "firmware.bin").write_bytes(whole(ESP32))
    board = VirtualBoard.create(tmp_path / "b")
    arguments = [str(board.path), "--image", str(tmp_path / "firmware.bin")]
    result = CliRunner().invoke(cli_target.flash, arguments)
    assert result.exit_code == 1 and result.output.count("\n") == 1
    assert "is a virtual board, which has no port: `flyve board create --image`" in result.output
