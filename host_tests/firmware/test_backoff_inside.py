"""Delays before a reconnect."""

from flyve import backoff, log
from flyve.backoff import CAP, Retry


def highest(a, b):
    return b


def lowest(a, b):
    return a


class Chance:
    """Has that pick a delay instead of chance."""

    def __init__(self, pick):
        self._pick = pick

    def __enter__(self):
        self._before = backoff.uniform
        backoff.uniform = self._pick

    def __exit__(self, *exc):
        backoff.uniform = self._before


def lost(pick, broker, spread=40000):
    """The delay after a connection was lost, and the delay after one failed try more."""
    retry = Retry(spread)
    with Chance(pick):
        return retry.lost(broker), retry.failed()


def test_first_try_is_spread_when_the_broker_is_at_fault():
    assert lost(highest, True)[0] == 40000
    assert lost(lowest, True)[0] == 0


def test_first_try_comes_within_two_seconds_when_our_network_was_away():
    assert lost(highest, False)[0] == 2000


def test_second_tries_of_a_fleet_are_spread_as_widely_as_the_first():
    assert lost(lowest, True, 45000)[1] == 30000
    assert lost(highest, True, 45000)[1] == 90000


def test_what_was_lost_is_due_after_the_delay_that_was_told():
    retry = Retry(40000)
    delay = retry.lost(True)
    assert delay - 100 < retry.left() <= delay


def test_delays_grow_and_stay_below_the_cap():
    retry = Retry()
    with Chance(highest):
        delays = [retry.failed() for _ in range(12)]
    assert delays[:3] == [3000, 9000, 27000]
    assert delays[-1] == CAP == 15 * 60 * 1000


def test_delays_never_fall_below_a_second():
    retry = Retry()
    with Chance(lowest):
        assert [retry.failed() for _ in range(5)] == [1000] * 5


def test_success_starts_from_the_beginning():
    retry = Retry()
    with Chance(highest):
        for _ in range(9):
            retry.failed()
        retry.reset()
        assert retry.failed() == 3000


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
