"""Good streams to damage; peers are those of the wire tests."""

import pytest

from host_tests.faults.ground.recording import record
from host_tests.wire.conftest import closed_port, identity, serve

__all__ = ["closed_port", "identity", "serve"]


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    """(answers of the backend by request, all that the broker sent) to one enrolling board."""
    return record(tmp_path_factory.mktemp("recording") / "board")
