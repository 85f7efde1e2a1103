# Which job comes next, and what follows when one breaks off.

from flyve import inbox, jobs, log, online
from flyve.backoff import Retry
from flyve.jobs import config, due
from flyve.online import Online
from flyve.transport import NetError

BOARD = True
log.sink = lambda line: None
TOPIC = "76/agent/SN1"


class Link:
    up = True
    down = False
    reason = None
    outbox = ()

    def close(self):
        self.up, self.down = False, True


class Agent:
    trial = False

    def __init__(self):
        self.settings = config.load()[0]
        self.rec = {"topic": TOPIC, "generation": "C"}
        self.session = "open"
        self.reports = self.user = None
        self.invited = Retry()
        self.invited.after(60000)
        self.restarting = False
        self.due = 0


class Policies:
    def settle(agent):
        yield


class Broken(Exception):
    """The backend answers, but not as wished."""

    status = 500


def made():
    state = Online(Agent())
    state.agent.link = Link()
    return state


def policy(state, number, symbol="deployFile", retained=False, payload=b"{}"):
    name = "%s/Policy/%s/Task/%d" % (TOPIC, symbol, number)
    state.inbox.sort(TOPIC, None, name, payload, retained)


def begin(state):
    """The next job, and the id of its policy if it is one."""
    job = due.find(state)
    if job and state.duty == online.POLICIES:
        state.entry = state.inbox.next(state.ready)
        return state.entry[inbox.ID]
    return job


def test_a_policy_that_broke_off_waits_once_whatever_else_fails():
    state = made()
    policy(state, 7)
    assert begin(state) == "7"
    for _ in range(9):
        due.failed(state, NetError("timeout", "slow"))
    assert [entry[inbox.ID] for entry in state.inbox.policies] == ["7"]


# A18
def test_a_policy_that_fails_for_ever_holds_up_no_other():
    state = made()
    for number in range(5):
        policy(state, number)
        assert begin(state) == str(number)
        due.failed(state, Broken())
    policy(state, 8)
    assert state.left() == 0 and begin(state) == "8"
    state.entry = None
    assert begin(state) is None and 0 < state.left() <= 1000


# A18
def test_other_duties_that_fail_hold_up_no_policy():
    for name, value in (
        ("guarded", {"lock": ({"lock": "now"}, 0)}),
        ("reports", [("pong",)]),
        ("user", {"phone": "1"}),
    ):
        state = made()
        setattr(state if name == "guarded" else state.agent, name, value)
        assert begin(state), name
        due.failed(state, Broken())
        assert begin(state) is None, name
        policy(state, 8)
        assert begin(state) == "8", name


# A18
def test_a_policy_that_needs_no_rest_does_not_wait_for_it():
    state = made()
    state.agent.session = None
    policy(state, 1)
    assert begin(state) == "1"
    due.failed(state, NetError("connect", "nobody there"))
    policy(state, 2)
    policy(state, 3, "disableCamera")
    assert begin(state) == "3"


# A18
def test_what_failed_while_the_backend_was_away_is_tried_as_soon_as_it_is_back():
    state = made()
    for number in range(3):
        policy(state, number)
        assert begin(state) == str(number)
        state.agent.session = None
        due.failed(state, NetError("connect", "nobody there"))
        state.retry.after(0)
    state.agent.session = "open"
    policy(state, 3)
    assert begin(state) == "3"
    state.entry = None
    state.ended(None)
    assert begin(state) == "0"


# A18
def test_a_newer_message_takes_the_place_of_one_that_waits():
    state = made()
    policy(state, 1, payload=b"{1}")
    begin(state)
    policy(state, 1, payload=b"{2}")
    due.failed(state, Broken())
    assert [entry[3] for entry in state.inbox.policies] == [b"{2}"]
    assert begin(state) == "1"
    due.failed(state, Broken())
    policy(state, 1, payload=b"")
    assert [entry[3] for entry in state.inbox.policies] == [b""]
    assert begin(state) == "1"


# A18
def test_a_report_that_fails_lets_the_others_pass_and_goes_when_a_newer_one_is_there():
    state = made()
    state.agent.reports = [("task", "1", "received"), ("inventory",), ("task", "1", "done")]
    assert begin(state)
    due.failed(state, Broken())
    assert state.agent.reports == [("inventory",), ("task", "1", "done")]
    state.wait(online.REPORTS).after(0)
    assert begin(state)
    due.failed(state, Broken())
    assert state.agent.reports == [("task", "1", "done"), ("inventory",)]


def test_the_policy_of_a_job_that_was_given_up_is_not_lost():
    state = made()
    policy(state, 7)
    assert begin(state) == "7"
    state.agent.link.connects = 0
    assert state.job()
    assert [entry[inbox.ID] for entry in state.inbox.policies] == ["7"]


def test_each_job_over_rest_goes_on_without_the_link_when_that_needs_its_memory():
    for name, value in (
        ("guarded", {"lock": ({"lock": "now"}, 0)}),
        ("reports", [("pong",)]),
        ("user", {"phone": "1"}),
    ):
        state = made()
        setattr(state if name == "guarded" else state.agent, name, value)
        assert due.find(state)
        due.failed(state, NetError("memory", "no memory for another TLS connection"))
        assert state.agent.link.down and state.alone
        assert due.find(state), name


def test_the_link_comes_back_when_nothing_can_be_done_without_it():
    agent = Agent()
    agent.session = None
    online = Online(agent)
    online.alone = True
    assert online.job() is None
    assert not online.alone


def test_an_update_whose_settlement_broke_off_is_settled_again():
    state = made()
    state.update = True
    jobs.policies = Policies
    try:
        job = due.find(state)
        next(job)
        job.close()
    finally:
        del jobs.policies
    due.failed(state, MemoryError())
    state.agent.link = Link()
    state.wait(online.UPDATE).after(0)
    assert state.update and due.find(state)
