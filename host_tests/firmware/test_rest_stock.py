"""The tests of test_rest.py with the newer `requests` that the unix port has frozen."""

import pytest

from host_tests.firmware import test_rest
from host_tests.firmware.test_rest import *  # noqa: F403

BOARD = True


@pytest.fixture(scope="module", autouse=True)
def stock(upy):
    assert upy.call("rest_stock", "install") >= "0.10"


api = test_rest.api
