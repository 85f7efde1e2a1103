"""All tests: files test_*_inside.py run in MicroPython, by kit/plugin.py.

FLYVE_SEED repeats the random samples of a run; the seed is printed at its end.
With --hil those in hil/ and system/ run on a board behind a serial port: --port, or without it
a virtual one on a pseudo-terminal.
"""

import os
import random
import signal

import pytest

from flyve_mdm import browser
from flyve_mdm.backend.broker import find_mosquitto
from flyve_mdm.backend.server import Backend
from flyve_mdm.glpi import account
from flyve_mdm.patience import factor, stretched
from host_tests.kit import hil, plugin
from host_tests.kit.boards.device import Device
from host_tests.kit.boards.virtual import VirtualBoards
from host_tests.kit.proxy import Proxy

_MOSQUITTO = "shows what only mosquitto does, and it is not installed"


def pytest_addoption(parser):
    hil.add_options(parser)


# In the environment, so that all workers of pytest-xdist draw the same samples.
os.environ["FLYVE_SEED"] = os.environ.get("FLYVE_SEED") or str(random.randrange(1 << 32))


# Whoever tries the README's commands in the same shell has an account of a backend in it.
for _name in (account.FILE, *map(account.variable, account.NAMES)):
    os.environ.pop(_name, None)


# A job in the background of a script ignores it, and so would the children that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # pytest-timeout reads its option in the same hook
def pytest_configure(config):
    try:
        if factor() != 1 and config.option.timeout is None:
            config.option.timeout = stretched(float(config.getini("timeout")))
    except ValueError as error:
        pytest.exit(str(error), returncode=1)
    if not config.pluginmanager.has_plugin("flyve-upy"):
        config.pluginmanager.register(plugin, "flyve-upy")
    hil.check(config.option)


def pytest_collection_modifyitems(config, items):
    for item in items:
        own = item.get_closest_marker("timeout")
        if own:
            item.add_marker(pytest.mark.timeout(stretched(own.args[0])), append=False)
    if not find_mosquitto():
        for item in items:
            if item.get_closest_marker("mosquitto"):
                item.add_marker(pytest.mark.skip(reason=_MOSQUITTO))
    if config.getoption("--hil"):
        for item in items:
            if item.get_closest_marker("virtual"):
                item.add_marker(pytest.mark.skip(reason="needs a virtual board: its power"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    # From one place, so that pytest tells it in one line.
    if item.get_closest_marker("browser") and (without := browser.missing()):
        pytest.skip(f"no tests in a browser: {without}")


@pytest.fixture(scope="session")
def wired(pytestconfig, tmp_path_factory):
    """The board behind the port, virtual or real, for the whole session."""
    made = hil.boards(pytestconfig.option, tmp_path_factory.mktemp("hil"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def phone_browser():
    """(a browser, the proxy to which all that it asks for goes), for a whole module."""
    proxy = Proxy(0)
    made = browser.Browser(proxy.port)
    yield made, proxy
    made.close()
    proxy.close()


@pytest.fixture
def boards(request, tmp_path):
    """Where a test gets its boards from: `make()` and what they need to reach a backend."""
    if request.config.getoption("--hil"):
        return request.getfixturevalue("wired")
    return VirtualBoards(tmp_path)


@pytest.fixture
def make_device(boards):
    """Makes devices (backend of that kind, and board); all are switched off at the end, and no log
    of theirs holds a secret."""
    made = []

    def make(aps=None, flash_size=4 << 20, ota=False, kind=Backend, **backend):
        board = boards.make(aps, flash_size, ota)
        server = kind(**{**boards.backend, **backend})
        server.start()
        device = Device(board, server, boards.wifi)
        made.append(device)
        return device

    yield make
    leaks = []
    for device in made:
        if device.run:
            device.run.kill()
        device.backend.stop()
        text = "\n".join(line for run in device.runs for line in run.log).encode()
        secrets = [*device.secrets(), *device.credentials(), device.wifi[1].encode()]
        leaks += [s for s in secrets if s and s in text]  # an open network has no passphrase
    assert not leaks, "the console shows a secret"


def pytest_terminal_summary(terminalreporter):
    skipped = terminalreporter.stats.get("skipped", [])
    left_out = sum(_MOSQUITTO in str(report.longrepr) for report in skipped)
    if not find_mosquitto():
        terminalreporter.write_line(
            f"mosquitto is not installed: {left_out} tests of what only it shows were left out, "
            "the others used the embedded broker"
        )
    terminalreporter.write_line(f"FLYVE_SEED={os.environ['FLYVE_SEED']} repeats these samples")
