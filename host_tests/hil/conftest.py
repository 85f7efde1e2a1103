"""Tests on a board behind a serial port: a real one (--port), or a virtual one."""

import pytest

from host_tests.hil.report import Report

_REPORT = pytest.StashKey()


def pytest_configure(config):
    config.stash[_REPORT] = Report()


@pytest.fixture
def boards(wired):
    """Boards on the wire, also when --hil is not given."""
    return wired


@pytest.fixture(scope="session")
def report(pytestconfig):
    return pytestconfig.stash[_REPORT]


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter, config):
    report = config.stash[_REPORT]
    if not config.getoption("--hil") or not report.figures["board"]:
        return
    counts = {how: len(terminalreporter.getreports(how)) for how in ("passed", "failed")}
    skipped = len(terminalreporter.getreports("skipped"))
    report.add("tests", **counts, skipped=skipped)
    report.write(config.getoption("--port") or "virtual")
    report.show()
