# Which job comes next, and what follows when one breaks off.

from flyve import config, duties, log
from flyve.backoff import Retry
from flyve.inbox import Inbox
from flyve.online import Online
from flyve.transport import NetError

BOARD = True
log.sink = lambda line: None
POLICY = (None, "deployFile", "7", b"{}")


class Link:
    up = True
    down = False
    reason = None

    def close(self):
        self.up, self.down = False, True


class Agent:
    trial = False

    def __init__(self):
        self.link = Link()
        self.reports = self.user = None
        self.invited = Retry()

    def load(self, *how):
        return iter([how])


class State:
    """As online.Online."""

    def __init__(self):
        self.agent = Agent()
        self.inbox = Inbox()
        self.retry = Retry()
        self.duty = 0
        self.entry = None
        self.alone = self.update = False
        self.guarded = {}
        self.failed = []


def test_a_policy_that_broke_off_waits_once_whatever_else_fails():
    state = State()
    state.entry = POLICY
    for _ in range(9):
        duties.failed(state, NetError("timeout", "slow"))
    assert state.inbox.policies == [POLICY]


def test_each_job_over_rest_goes_on_without_the_link_when_that_needs_its_memory():
    for name, value in (
        ("guarded", {"lock": ({"lock": "now"}, 0)}),
        ("reports", [("pong",)]),
        ("user", {"phone": "1"}),
    ):
        state = State()
        setattr(state if name == "guarded" else state.agent, name, value)
        assert duties.find(state)
        duties.failed(state, NetError("memory", "no memory for another TLS connection"))
        assert state.agent.link.down and state.alone
        assert duties.find(state), name


def test_the_link_comes_back_when_nothing_can_be_done_without_it():
    agent = Agent()
    agent.settings = config.load()[0]
    agent.rec = {"topic": "76/agent/SN1"}
    agent.session = None
    online = Online(agent)
    online.alone = True
    assert online.job() is None
    assert not online.alone


def test_an_update_whose_settlement_broke_off_is_settled_again():
    state = State()
    state.update = True
    job = duties.find(state)
    next(job)
    job.close()
    duties.failed(state, MemoryError())
    state.agent.link = Link()
    assert state.update and duties.find(state)
