"""Lines of the firmware that have run, as flyve_mdm/coverage.py finds them."""

import re
import subprocess

import pytest
from coverage.parser import PythonParser

from flyve_mdm.build import firmware, probes, toolchain
from flyve_mdm.measure import coverage

SOURCE = '''"""Text."""


@trace
def f(x):
    """More text."""
    global y
    try:
        if x:
            y = (1,
                 2)
        elif x is None:
            y = 3
        else:
            y = 4
    except OSError:
        return
    finally:
        y = 5
'''


def probed(source):
    return [int(n) for n in re.findall(r"__hit__\((\d+)\)", probes.instrument(source, 1000))]


@pytest.mark.parametrize("path", probes.bases(coverage.FIRMWARE), ids=lambda path: path.stem)
def test_each_statement_that_coverage_py_counts_has_a_probe(path):
    parser = PythonParser(filename=str(path))
    parser.parse_source()
    lines = {parser.first_line(number - 1000) for number in probed(path.read_text())}
    assert lines >= parser.statements


def test_a_probe_stands_before_each_statement_and_in_each_handler():
    lines = [4, 5, 8, 9, 10, 12, 13, 15, 16, 17, 19]
    assert sorted(number - 1000 for number in probed(SOURCE)) == lines


def test_no_two_lines_of_the_firmware_have_the_same_number():
    ends = 0
    for source, base in probes.bases(coverage.FIRMWARE).items():
        assert base >= ends
        ends = base + len(source.read_text().splitlines()) + 1
    assert ends <= 1 << 14  # what boards/virtual/probes.py has room for


def test_what_ran_before_the_process_was_killed_is_known(tmp_path):
    firmware.build()
    path, base = next(iter(probes.bases(coverage.FIRMWARE).items()))
    script = (
        f"import probes, os; __hit__({base + 3}); __hit__({base + 3}); os.system('kill -9 $PPID')"
    )
    hits = tmp_path / "hits"
    environment = {"COVERAGE": str(hits), "MICROPYPATH": str(firmware.VIRTUAL)}
    done = subprocess.run(
        [toolchain.micropython(), "-c", script], env=environment, check=False, timeout=10
    )
    assert done.returncode == -9
    assert len(hits.read_bytes()) == 2
    assert coverage.hits(hits)[str(path)] == [3]
