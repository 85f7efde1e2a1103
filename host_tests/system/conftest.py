"""A whole board, virtual or behind a port, against the simulated backend and mosquitto."""

import pytest


@pytest.fixture
def device(make_device):
    """A device of generation C over http, provisioned and off."""
    made = make_device()
    made.provision()
    return made


@pytest.fixture
def online(make_device):
    """The same, online."""
    return make_device().go_online()
