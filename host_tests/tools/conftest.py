"""A fresh backend for each test, on free ports of the loopback; boards without an agent."""

import pytest

from flyve_mdm.backend.server import Backend
from host_tests.kit.boards.bench import Bench
from host_tests.tools.enrollee import Enrollee, Link


@pytest.fixture
def start(request):
    """Start a backend with these switches."""

    def run(*arguments, **switches):
        backend = Backend(*arguments, **switches)
        backend.start()
        request.addfinalizer(backend.stop)
        return backend

    return run


@pytest.fixture
def backend(start):
    """A backend of generation C."""
    return start()


@pytest.fixture
def device(request):
    """Make a device with an invitation."""

    def make(*arguments, **fields):
        made = Enrollee(*arguments, **fields)
        request.addfinalizer(made.close)
        return made

    return make


@pytest.fixture
def link(request):
    """Connect a device to the broker."""

    def make(*arguments, **fields):
        made = Link(*arguments, **fields)
        request.addfinalizer(made.close)
        return made

    return make


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.close()
