"""A fresh backend for each test, on free ports of the loopback."""

import pytest

from flyve_mdm.backend import Backend
from host_tests.backend.device import Device, Link


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
        made = Device(*arguments, **fields)
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
