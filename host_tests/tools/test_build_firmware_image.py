"""`flyve firmware`: what it refuses, and what it asks of MicroPython's build."""

import os
import stat

import pytest
from click.testing import CliRunner

from flyve_mdm import ROOT
from flyve_mdm.build import firmware_image


@pytest.fixture
def source(tmp_path):
    """As much of MicroPython's tree as is looked at, and an ESP-IDF that is set up."""

    def make(version=(1, 28)):
        tree = tmp_path / "micropython"
        for name in ("py", "ports/esp32", "mpy-cross"):
            (tree / name).mkdir(parents=True, exist_ok=True)
        (tree / "ports" / "esp32" / "Makefile").write_text("")
        major, minor = version
        text = f"#define MICROPY_VERSION_MAJOR {major}\n#define MICROPY_VERSION_MINOR {minor}\n"
        (tree / "py" / "mpconfig.h").write_text(text)
        tools = tmp_path / "idf" / "tools"
        tools.mkdir(parents=True, exist_ok=True)
        for name in ("idf.py", "make"):
            script = '#!/bin/sh\necho "$@" >> "$(dirname "$0")/log"\n'
            (tools / name).write_text(script)
            (tools / name).chmod(stat.S_IRWXU)
        path = f"{tools}{os.pathsep}{os.environ['PATH']}"
        return {"MICROPYTHON_SRC": str(tree), "IDF_PATH": str(tools.parent), "PATH": path}

    return make


def run(environment, *args):
    cleared = {"MICROPYTHON_SRC": None, "IDF_PATH": None, **environment}
    return CliRunner().invoke(firmware_image.firmware, args, env=cleared)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"MICROPYTHON_SRC": None}, "MICROPYTHON_SRC is not set: clone"),
        ({"MICROPYTHON_SRC": "/"}, "no checkout of MicroPython"),
        ({"IDF_PATH": None}, "IDF_PATH is not set: install the ESP-IDF"),
        ({"IDF_PATH": "/"}, "no ESP-IDF"),
        ({"PATH": "/nowhere"}, "export.sh"),
    ],
)
def test_what_is_missing_is_named_in_one_line(source, change, message):
    result = run({**source(), **change})
    assert result.exit_code == 1
    assert message in result.output and result.output.count("\n") == 1


def test_an_old_micropython_is_refused(source):
    assert "check out v1.24.0 or later" in run(source((1, 23))).output


def test_a_board_that_is_not_there_is_named_with_those_that_are(source):
    result = run(source(), "--board", "ESP8266")
    assert result.exit_code == 1 and "ESP32_GENERIC_C3" in result.output
    assert "no variant X" in run(source(), "--variant", "X").output


@pytest.mark.skipif(" " in str(ROOT), reason="MicroPython's build takes no path with a blank")
@pytest.mark.parametrize("variant", ["", pytest.param("ROMFS", marks=pytest.mark.exact)])
def test_micropythons_build_is_asked_for_our_board(source, tmp_path, variant):
    args = ["--board", "ESP32_GENERIC_C3"] + (["--variant", variant] if variant else [])
    result = run(source(), *args)
    assert result.exit_code == 0, result.output
    log = (tmp_path / "idf" / "tools" / "log").read_text().splitlines()
    assert log[0].endswith("mpy-cross") and log[1].endswith(" submodules")
    assert f"BOARD_DIR={firmware_image.BOARDS / 'ESP32_GENERIC_C3'}" in log[2]
    assert ("BOARD_VARIANT=ROMFS" in log[2]) == bool(variant)
    assert "firmware.bin" in result.output
    assert ("rv32imc.romfs" in result.output) == bool(variant)
