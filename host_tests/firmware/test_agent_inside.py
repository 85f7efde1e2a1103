"""What a turn of the agent's loop leaves to the next."""

import sys

from flyve import agent
from flyve.backoff import Retry

BOARD = True


def failing(e):
    from flyve.jobs import clock  # noqa: F401

    yield
    raise e


def asking(e):
    """An agent that asks for the time; what failed, and whether the clock was there then."""
    one = object.__new__(agent.Agent)
    one.asking = failing(e)
    one.clock = Retry()
    one.told = []
    one.report = lambda *what: one.told.append((what, "flyve.jobs.clock" in sys.modules))
    assert one._ask_time() is True
    return one


def test_the_clock_is_gone_before_it_is_kept_that_it_failed():
    e = OSError(5)
    one = asking(e)
    assert one._ask_time() is False
    assert one.told == [(("clock", e), False)]
    assert one.asking is None and one.clock.left() > 0


def test_a_button_that_was_held_ends_a_question_for_the_time_too():
    for e in (agent.Pressed(), KeyboardInterrupt()):
        one = asking(e)
        try:
            one._ask_time()
            raise AssertionError
        except (agent.Pressed, KeyboardInterrupt):
            pass
        assert not one.told
