"""A call that never returns, wherever: the watchdog brings the board back within a minute, and
then it comes online."""

import time

import pytest

from flyve_mdm.board.life import WATCHDOG
from host_tests.kit.sample import chance
from host_tests.system.mains import HANGS, hangs

pytestmark = pytest.mark.virtual

DOG = 40  # the watchdog's minute takes 1.5 s here
UNGUARDED = "before the loop"

_PLACES = [place for place in HANGS if place != UNGUARDED]
_SAMPLE = chance("hangs").sample(_PLACES, 2)
_REST = [pytest.param(place, marks=pytest.mark.soak) for place in _PLACES if place not in _SAMPLE]


@pytest.fixture
def hanging(make_device):
    """Starts a board that hangs at the place; it is already past the hang's announcement."""

    def start(place, dog):
        device = make_device(tls=place == "tls handshake")
        device.provision(main=hangs(place, dog), reconnect_spread=0, stable=300)
        run = device.start()
        run.wait_log("here it hangs", 20)
        return run

    return start


def _comes_back(run, seconds):
    run.wait_log("board: watchdog reset", seconds)
    run.wait_log("starts after watchdog", 10)
    run.wait_log("link: online", 30)
    assert run.resets == [WATCHDOG]


@pytest.mark.parametrize("place", _SAMPLE + _REST)
def test_the_watchdog_ends_a_hang(hanging, place):
    run = hanging(place, DOG)
    limit = int(run.wait_log(r"watchdog of (\d+) ms", 1)[1])
    assert limit <= 60_000
    _comes_back(run, limit / DOG / 1000 + 10)


@pytest.mark.soak
def test_within_a_minute_of_real_time(hanging):
    run = hanging("getaddrinfo", 1)
    begin = time.monotonic()
    _comes_back(run, 65)
    # Its restart and the enrollment are in it.
    assert time.monotonic() - begin < 75


def test_the_watchdog_ends_a_hang_before_the_loop(hanging):
    _comes_back(hanging(UNGUARDED, DOG), 60 / DOG + 2)
