"""The plugin that runs MicroPython test files reports what happened, whatever happens."""

import pytest

from flyve_mdm.build import toolchain
from flyve_mdm.patience import stretched

pytest_plugins = ["pytester"]


@pytest.fixture
def unit(pytester):
    """Writes a unit test file and runs pytest on it, with the arguments given."""
    folder = pytester.path / "host_tests"
    folder.mkdir()
    options = "-p no:cacheprovider -p no:xdist --import-mode=importlib -rs"
    pytester.makeini(f"[pytest]\naddopts = {options}\n")

    def run(source, *args):
        (folder / "test_it_inside.py").write_text(source)
        return pytester.runpytest_inprocess(
            "-p", "host_tests.kit.plugin", *(args or ["host_tests"])
        )

    return run


def test_pass_fail_and_skip(unit):
    result = unit("""
class SkipTest(Exception):
    pass

def test_passes():
    assert 2 + 2 == 4

def test_fails():
    print("before", end="")
    number = 3
    assert number == 4, "it is %d" % number

def test_is_skipped():
    raise SkipTest("needs a radio")

def test_exits():
    raise SystemExit(3)

def helper():
    assert False
""")
    result.assert_outcomes(passed=1, failed=2, skipped=1)
    result.stdout.fnmatch_lines(
        [
            "AssertionError: it is 3",
            '*test_it_inside.py", line 11, in test_fails',
            "    assert number == 4*",
            "*Captured stdout*",
            "before",
            "SystemExit: 3",
            "SKIPPED*needs a radio",
        ]
    )


def test_the_firmware_is_the_compiled_one(unit):
    result = unit("""
HEAP = "100K"
import gc
import flyve
from umqtt.simple import MQTTClient
import urequests

def test_where():
    assert flyve.__file__.endswith("build/firmware-modules/flyve/__init__.mpy"), flyve.__file__
    assert 50_000 < gc.mem_free() + gc.mem_alloc() <= 102_400
""")
    result.assert_outcomes(passed=1)


@pytest.mark.exact
def test_on_a_board(unit):
    result = unit("""
BOARD = True
HEAP = "90K"
import esp32, gc, machine, os, time

def test_the_files_are_its_own():
    with open("/config.json", "w") as file:
        file.write("{}")
    assert sorted(os.listdir("/")) == ["config.json", "flyve", "lib", "main.py"]

def test_nvs_and_clock_are_there():
    esp32.NVS("flyve").set_i32("net", 1)
    assert esp32.NVS("flyve").get_i32("net") == 1
    assert time.gmtime(0)[0] == 2000

def test_the_heap_is_what_the_board_leaves():
    gc.collect()
    more = max([region[2] for region in esp32.idf_heap_info(esp32.HEAP_DATA)])
    assert 70_000 < gc.mem_free() - more < 92_160, gc.mem_free()

def test_reset_ends_it():
    machine.reset()
""")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["MicroPython was killed by SIGKILL"])


def test_an_import_that_fails_is_an_error_of_each_test(unit):
    result = unit("import nothing\ndef test_a(): pass\ndef test_b(): pass\n")
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["cannot import the file: ImportError: no module named 'nothing'"])


def test_a_syntax_error_is_an_error_of_the_file(unit):
    result = unit("def test_a(:\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*test_it_inside.py: invalid syntax*"])


def test_what_only_micropython_refuses_is_an_error_too(unit):
    result = unit("def test_a(): pass\n\nmatch 1:\n    case 1: pass\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["cannot import the file: *test_it_inside.py:3: SyntaxError*"])


def test_a_crash_fails_the_test_and_those_after_it(unit):
    result = unit("""
import os
def test_before(): pass
def test_crashes():
    print("last words")
    os.system("kill -SEGV $PPID")
    while True: pass
def test_after(): pass
""")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            "MicroPython was killed by SIGSEGV",
            "last words",
            "not run: MicroPython was killed by SIGSEGV, in test_crashes",
        ]
    )


def test_a_hang_ends_at_the_deadline_and_says_where(unit):
    result = unit("""
DEADLINE = 1
def test_before(): pass
def test_hangs():
    while True:
        pass
def test_after(): pass
""")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            f"no result within {stretched(1):g} s",
            '*test_it_inside.py", line *, in test_hangs',
            f"not run: no result within {stretched(1):g} s, in test_hangs",
        ]
    )


def test_a_hang_that_swallows_the_interrupt_is_killed(unit):
    result = unit("""
DEADLINE = 1
def test_hangs():
    while True:
        try:
            while True: pass
        except KeyboardInterrupt:
            pass
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"no result within {stretched(1):g} s"])


def test_tests_can_be_selected(unit):
    source = "def test_a(): pass\ndef test_b(): assert False\n"
    unit(source, "host_tests/test_it_inside.py::test_a").assert_outcomes(passed=1)
    unit(source, "host_tests", "-k", "a and not b").assert_outcomes(passed=1, deselected=1)


def test_a_missing_interpreter_is_one_line(unit, monkeypatch):
    monkeypatch.setenv("MICROPYTHON", "/nowhere/micropython")
    toolchain.check.cache_clear()
    result = unit("def test_a(): pass\n")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: MICROPYTHON=/nowhere/micropython is not an *"])
