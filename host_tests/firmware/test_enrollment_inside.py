# When an invitation that does not get through is tried again.

from flyve import backoff, log
from flyve.jobs import config, enrollment, invitation, record_slots
from flyve.record import Record
from flyve.transport import NetError

BOARD = True
log.sink = lambda line: None
# http://127.0.0.1:9;usertoken;one, and two
LINKS = (
    b"aHR0cDovLzEyNy4wLjAuMTo5O3VzZXJ0b2tlbjtvbmU",
    b"aHR0cDovLzEyNy4wLjAuMTo5O3VzZXJ0b2tlbjt0d28",
)


class Agent:
    told = False

    def __init__(self):
        self.settings = config.load()[0]
        self.rec = Record(*record_slots.load()[:3])
        self.invited = backoff.Retry()


def attempt(agent):
    """One attempt, as the agent makes it; the delay before the next one."""
    try:
        for _ in enrollment.run(agent):
            pass
    except NetError as e:
        return agent.invited.failed(e)


def provision(link):
    with open(invitation.PATH, "wb") as f:
        f.write(link)


# A34
def test_delays_grow_until_another_deeplink_comes():
    uniform, backoff.uniform = backoff.uniform, lambda a, b: b
    try:
        agent = Agent()
        provision(LINKS[0])
        assert [attempt(agent) for _ in range(4)] == [3000, 9000, 27000, 81000]
        assert agent.invited.left() > 80000
        provision(LINKS[1])
        assert [attempt(agent) for _ in range(2)] == [3000, 9000]
        invitation.discard()
        assert attempt(agent) is None
        assert 4000 < agent.invited.left() <= 5000
        provision(LINKS[1])
        assert attempt(agent) == 3000
    finally:
        backoff.uniform = uniform
        invitation.discard()
        agent.rec.save(**dict.fromkeys(agent.rec.values))


# A14
def test_a_server_may_ask_for_a_longer_delay_within_bounds():
    retry = backoff.Retry()
    failure = NetError("closed", "")
    for after, lowest, highest in (
        (0, 1000, 3000),
        (120000, 120000, 135000),
        (10**9, 900000, 900000),
    ):
        failure.after = after
        assert lowest <= retry.failed(failure) <= highest, after
