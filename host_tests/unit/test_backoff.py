"""Delays before a reconnect."""

from flyve.backoff import CAP, Backoff


def highest(a, b):
    return b


def lowest(a, b):
    return a


def test_first_try_is_spread_when_the_broker_is_at_fault():
    assert Backoff(40000, highest).first(True) == 40000
    assert Backoff(40000, lowest).first(True) == 0


def test_first_try_comes_within_two_seconds_when_our_network_was_away():
    assert Backoff(40000, highest).first(False) == 2000


def test_second_tries_of_a_fleet_are_spread_as_widely_as_the_first():
    for pick in (lowest, highest):
        backoff = Backoff(45000, pick)
        backoff.first(True)
        assert backoff.next() == (30000 if pick is lowest else 90000)


def test_delays_grow_and_stay_below_the_cap():
    backoff = Backoff(0, highest)
    delays = [backoff.next() for _ in range(12)]
    assert delays[:3] == [3000, 9000, 27000]
    assert delays[-1] == CAP == 15 * 60 * 1000


def test_delays_never_fall_below_a_second():
    backoff = Backoff(0, lowest)
    assert [backoff.next() for _ in range(5)] == [1000] * 5


def test_success_starts_from_the_beginning():
    backoff = Backoff(0, highest)
    for _ in range(9):
        backoff.next()
    backoff.reset()
    assert backoff.next() == 3000
