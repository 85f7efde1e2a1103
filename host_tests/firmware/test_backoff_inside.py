"""Delays before a reconnect."""

from flyve import log
from flyve.backoff import CAP, Backoff, Retry


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


class Ticks:
    """A board's `time` for as long as it has to: ticks have 30 bits there."""

    PERIOD = 1 << 30

    def __init__(self):
        self.now = 0

    def ticks_ms(self):
        return self.now % self.PERIOD

    def ticks_add(self, ticks, delta):
        return (ticks + delta) % self.PERIOD

    def ticks_diff(self, end, start):
        return (end - start + self.PERIOD // 2) % self.PERIOD - self.PERIOD // 2


def test_what_is_due_stays_due_over_weeks_in_which_nothing_happened():
    before = log.time, log._ticks, log._uptime
    log.time = clock = Ticks()
    log._ticks = 0
    try:
        retry = Retry()
        for day in range(1, 30):
            clock.now = day * 86400000
            log.uptime()  # the loop does so all the time
            assert retry.left() <= 0, day
    finally:
        log.time, log._ticks, log._uptime = before


def test_what_has_failed_is_due_after_the_delay_that_was_told():
    retry = Retry()
    delay = retry.failed()
    assert delay - 100 < retry.left() <= delay
