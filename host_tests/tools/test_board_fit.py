"""Which MicroPython the agent accepts, by what sys.implementation says."""

import pytest

from flyve_mdm.board.fit import Implementation, refusals

_MPY = {"v6.3": 6 | 3 << 8 | 10 << 10, "v6.2": 6 | 2 << 8 | 10 << 10, "v5": 5}


def board(version=(1, 25, 0, ""), mpy=_MPY["v6.3"], name="micropython", missing=()):
    machine = "Generic ESP32 module with ESP32"
    return Implementation(name, list(version), mpy, machine, "esp32", "", list(missing))


@pytest.fixture
def tree(tmp_path):
    """A compiled module without native code."""
    (tmp_path / "plain.mpy").write_bytes(b"M\x06\x00\x1f")
    return tmp_path


@pytest.mark.parametrize(
    "version", [(1, 24, 0, ""), (1, 24, 1), (1, 25, 0, ""), (1, 28, 0), (1, 30, 0, "preview")]
)
def test_a_stock_release_from_1_24_on_is_accepted(tree, version):
    assert refusals(board(version), tree) == []


@pytest.mark.parametrize(
    "what, reason",
    [
        ({"version": (1, 23, 0, "")}, "MicroPython 1.23.0 is too old: flash 1.24 or later"),
        ({"version": (1, 9, 4), "mpy": 0}, "MicroPython 1.9.4 is too old"),
        ({"name": "circuitpython", "version": (9, 2, 0)}, "this is circuitpython"),
        ({"missing": ["esp32"]}, "built without esp32"),
        ({"mpy": _MPY["v5"]}, "plain.mpy: it is .mpy version 6, but this MicroPython loads"),
        ({"mpy": 0}, "loads no .mpy files"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(tree, what, reason):
    (found,) = refusals(board(**what), tree)
    assert reason in found


def test_native_code_must_be_for_the_boards_architecture(tree):
    (tree / "native.mpy").write_bytes(bytes([ord("M"), 6, 11 << 2 | 3, 31]))
    (found,) = refusals(board(), tree)
    assert found == "native.mpy: it holds rv32imc code, the board runs xtensawin"
    assert refusals(board(mpy=6 | 3 << 8 | 11 << 10), tree) == []


def test_native_code_is_tied_to_the_sub_version(tree):
    (tree / "native.mpy").write_bytes(bytes([ord("M"), 6, 10 << 2 | 3, 31]))
    assert refusals(board(mpy=_MPY["v6.2"]), tree)
    assert refusals(board(), tree) == []


def test_what_is_not_compiled_is_no_firmware(tree):
    (tree / "plain.mpy").write_bytes(b"C\x06")
    assert "no compiled file" in refusals(board(), tree)[0]
