"""The definitions of real boards: what a build would take, without building."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flyve_mdm import ROOT
from flyve_mdm.build import firmware, firmware_image, romfs

BOARDS = firmware_image.boards()
SECTOR, APP = 0x1000, 0x10000


def table(board, name):
    """Partitions by label: type, subtype, offset, size."""
    with (firmware_image.BOARDS / board / name).open() as file:
        rows = [row for row in csv.reader(file) if row and not row[0].startswith("#")]
    cells = [[cell.strip() for cell in row] for row in rows]
    return {row[0]: (row[1], row[2], int(row[3], 0), int(row[4], 0)) for row in cells}


def facts(board):
    return json.loads((firmware_image.BOARDS / board / "board.json").read_text())["flyve"]


def test_there_are_the_boards_that_the_documents_name():
    assert BOARDS == ["ESP32_GENERIC", "ESP32_GENERIC_C3", "ESP32_GENERIC_S3"]
    text = (ROOT / "docs" / "boards.md").read_text()
    assert all(board in text for board in BOARDS)


@pytest.mark.parametrize("name", ["partitions.csv", "partitions-romfs.csv"])
@pytest.mark.parametrize("board", BOARDS)
def test_partitions_lie_behind_each_other_within_the_flash(board, name):
    end = 0x9000  # where boot loader and table end
    for label, (kind, _, offset, size) in table(board, name).items():
        assert offset >= end, f"{label} overlaps"
        assert offset % (APP if kind == "app" else SECTOR) == 0 and size % SECTOR == 0
        end = offset + size
    assert end == facts(board)["flash_mib"] << 20


@pytest.mark.parametrize("board", BOARDS)
def test_a_board_has_two_slots_nvs_and_littlefs(board):
    found = table(board, "partitions.csv")
    assert found["ota_0"][3] == found["ota_1"][3] >= 0x180000
    assert found["ota_0"][:2] == ("app", "ota_0") and found["otadata"][:2] == ("data", "ota")
    assert found["otadata"][3] == 0x2000
    assert found["nvs"][3] >= 0x4000
    # This label makes MicroPython format it as littlefs.
    assert found["vfs"][0] == "data" and found["vfs"][3] >= 512 << 10


@pytest.mark.parametrize("board", BOARDS)
def test_the_romfs_variant_has_a_partition_for_the_image(board):
    assert table(board, "partitions-romfs.csv")["romfs"][3] == romfs.PARTITION


@pytest.mark.parametrize("board", BOARDS)
def test_board_json_says_where_led_and_button_are(board):
    found = facts(board)
    assert found["led"]["kind"] in ("plain", "ws2812")
    assert found["button"] == {"gpio": 9 if "C3" in board else 0, "name": "BOOT", "pressed": 0}


class Manifest:
    """The functions that a manifest calls, as far as ours do."""

    def __init__(self, path):
        self.frozen = {}
        self._run(path)

    def _run(self, path):
        names = {
            "include": lambda name: name.startswith("$") or self._run(path.parent / name),
            "freeze": lambda base, files=(), opt=None: self._freeze(path, base, files, opt),
            "package": lambda name, base_path, opt: self._package(path, name, base_path, opt),
            "require": lambda name: None,
        }
        exec(compile(path.read_text(), path, "exec"), names)

    def _freeze(self, path, base, files, opt):
        for name in files:
            assert (path.parent / base / name).exists()
            self.frozen[name] = opt

    def _package(self, path, name, base, opt):
        root = path.parent / base
        for file in (root / name).rglob("*.py"):
            self.frozen[file.relative_to(root).as_posix()] = opt


@pytest.mark.parametrize("board", BOARDS)
def test_the_manifest_freezes_all_that_is_deployed(board):
    firmware.build()
    expected = {}
    for step in firmware.firmware_steps():
        # What is no module, is frozen as one.
        name = step.target.removeprefix("lib/").replace(".mpy", ".py").replace(".dat", ".py")
        name = "urequests/__init__.py" if name == "urequests.py" else name
        # The asserts of the libraries are checks of the protocol.
        expected[name] = 0 if step.target.startswith("lib/") else 3
    assert Manifest(firmware_image.BOARDS / board / "manifest.py").frozen == expected


@pytest.mark.skipif(not os.environ.get("MICROPYTHON_SRC"), reason="needs MICROPYTHON_SRC")
@pytest.mark.parametrize("board", BOARDS)
def test_micropythons_own_tool_takes_the_manifest(board):
    source = Path(os.environ["MICROPYTHON_SRC"])
    folder = firmware_image.BOARDS / board
    code = f"""
import sys
sys.path.insert(0, {str(source / "tools")!r})
import manifestfile
places = {{"MPY_DIR": {str(source)!r}, "PORT_DIR": {str(source / "ports/esp32")!r},
    "MPY_LIB_DIR": {str(source / "lib/micropython-lib")!r}, "BOARD_DIR": {str(folder)!r}}}
manifest = manifestfile.ManifestFile(manifestfile.MODE_FREEZE, places)
manifest.execute({str(folder / "manifest.py")!r})
names = [file.target_path for file in manifest.files()]
assert len(names) == len(set(names)), names
print(sum(name.startswith("flyve/") for name in names))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = [step for step in firmware.firmware_steps() if step.target.startswith("flyve/")]
    assert int(done.stdout) == len(modules)


@pytest.mark.skipif(not shutil.which("cmake"), reason="needs cmake")
@pytest.mark.parametrize("variant", ["", "ROMFS"])
@pytest.mark.parametrize("board", BOARDS)
def test_cmake_gets_the_partition_table_and_the_manifest(board, variant, tmp_path):
    port = tmp_path / "port" / "boards" / board
    port.mkdir(parents=True)
    (port / "mpconfigboard.cmake").write_text("set(SDKCONFIG_DEFAULTS boards/sdkconfig.base)\n")
    folder = firmware_image.BOARDS / board
    script = f'set(MICROPY_BOARD_DIR "{folder}")\ninclude("{folder}/mpconfigboard.cmake")\n'
    if variant:
        script += f'include("{folder}/mpconfigvariant_{variant}.cmake")\n'
    script += 'message("${SDKCONFIG_DEFAULTS}|${MICROPY_FROZEN_MANIFEST}|${MICROPY_DEF_BOARD}")\n'
    (tmp_path / "port" / "try.cmake").write_text(script)
    done = subprocess.run(
        ["cmake", "-P", "try.cmake"],
        cwd=tmp_path / "port",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    sdkconfig, manifest, defines = done.stderr.strip().split("|")
    files = [(tmp_path / "port" / name) for name in sdkconfig.split(";")]
    assert files[0] == tmp_path / "port" / "boards" / "sdkconfig.base", "MicroPython's first"
    text = "".join(file.read_text() for file in files[1:])
    csv_name = "partitions-romfs.csv" if variant else "partitions.csv"
    assert f'CONFIG_PARTITION_TABLE_CUSTOM_FILENAME="{folder}/{csv_name}"' in text
    assert Path(manifest).exists() and Path(manifest).is_absolute()
    assert defines == ("MICROPY_VFS_ROM=1" if variant else "")
