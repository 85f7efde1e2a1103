"""`flyve flash`: esptool writes an image to the chip that it is for, or to none."""

import struct

import pytest
from click.testing import CliRunner

from host_tests.virtual.rom import Rom
from tools.board import cli_target

ESP32, C3, S3 = 0, 5, 9
OFFSETS = {ESP32: 0x1000, C3: 0, S3: 0}


def whole(chip):
    """Boot loader, partition table and application, as MicroPython's builds are put together."""
    head = struct.pack("<4BI4BHB2H4xB", 0xE9, 1, 2, 0x20, 0, 0, 0, 0, 0, chip, 0, 0, 0, 0)
    image = bytearray(head.ljust(0x20000, b"\xff"))
    table = 0x8000 - OFFSETS[chip]
    image[table : table + 2] = b"\xaa\x50"
    image[0x10000:] = bytes(range(256)) * 256
    return bytes(image)


@pytest.fixture
def flash(tmp_path):
    """flash(chip on the port, image, ...): the result, the chip."""

    def flash(chip, image, *args):
        (tmp_path / "firmware.bin").write_bytes(image)
        with Rom(chip) as rom:
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


@pytest.mark.parametrize(
    "image, message",
    [
        (b"hello" * 1000, "is no ESP32 firmware image"),
        (b"\xe9", "is no ESP32 firmware image"),
        (whole(ESP32)[:0x5000] + b"\xff" * 0x5000, "no partition table"),
        (whole(ESP32)[:32] + b"\x32\x54\xcd\xab" + b"\0" * 0x9000, "an application image"),
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
