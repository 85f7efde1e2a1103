# Which job comes next, and what follows when one breaks off.

from flyve import jobs, log
from flyve.jobs import config, due, ending, inbox, known, nvs, outcome
from flyve.jobs.known import HEARD, SILENT
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
    connects = 0
    topic = TOPIC

    def close(self):
        self.up, self.down = False, True


class Rec(dict):
    def save(self, **changes):
        self.update(changes)


class Agent:
    trial = False
    user = job = None

    def __init__(self):
        self.notes = {}
        self.settings = config.load()[0]
        self.rec = Rec(topic=TOPIC, generation="C")


class Broken(Exception):
    """Whatever it is, nobody expects it."""


def made():
    state = Online(Agent())
    state.link = Link()
    state.session["token"] = "open"
    return state


def policy(state, number, symbol="deployFile", retained=False, payload=b"{}"):
    name = "%s/Policy/%s/Task/%d" % (TOPIC, symbol, number)
    state.receive(name, payload, retained)
    inbox.sort(state)


def begin(state):
    """The next job, or the id of its policy if it is one; None while there is none."""
    job = due.find(state)
    if state.box["hand"]:
        return state.box["hand"]["id"]
    return None if isinstance(job, int) else job


def at_hand(state):
    """The duty whose job was found."""
    return due.DUE[state.notes["due"]["duty"]]


def over(state):
    """The job at hand ends well."""
    outcome.ended(state, None)


def again(state, duty):
    """The duty that broke off is due."""
    state.notes["due"]["waits"][due.DUE.index(duty)].after(0)


def queued(state):
    """Task and payload of the policies that wait."""
    return [(one["id"], one["payload"]) for one in state.box["policies"]]


# What is to be done over REST: the duty, and how it comes.
OVER_REST = (
    (due.verify, lambda state: state.box["guarded"].update(lock=({"lock": "now"}, 0))),
    (due.report, lambda state: state.reports.append(("pong",))),
    (due.user, lambda state: setattr(state.agent, "user", {"phone": "1"})),
)


def with_reports():
    state = made()
    state.reports = []
    return state


def test_a_policy_that_broke_off_waits_once_whatever_else_fails():
    state = made()
    policy(state, 7)
    assert begin(state) == "7"
    for _ in range(9):
        outcome.ended(state, NetError("timeout", "slow"))
    assert queued(state) == [("7", b"{}")]


# A18
def test_a_policy_that_fails_for_ever_holds_up_no_other():
    state = made()
    for number in range(5):
        policy(state, number)
        assert begin(state) == str(number)
        outcome.ended(state, Broken())
    policy(state, 8)
    assert begin(state) == "8"
    over(state)
    left = due.find(state)
    assert isinstance(left, int) and 0 < left <= 3000


# A18
def test_other_duties_that_fail_hold_up_no_policy():
    for duty, comes in OVER_REST:
        state = with_reports()
        comes(state)
        assert begin(state) and at_hand(state) is duty
        outcome.ended(state, Broken())
        assert begin(state) is None, duty
        policy(state, 8)
        assert begin(state) == "8", duty


# A18
def test_a_policy_that_needs_no_rest_does_not_wait_for_it():
    state = made()
    state.session.clear()
    policy(state, 1)
    assert begin(state) == "1"
    outcome.ended(state, NetError("connect", "nobody there"))
    policy(state, 2)
    policy(state, 3, "disableCamera")
    assert begin(state) == "3"


# A18
def test_what_failed_while_the_backend_was_away_is_tried_as_soon_as_it_is_back():
    state = made()
    for number in range(3):
        policy(state, number)
        assert begin(state) == str(number)
        state.session.clear()
        outcome.ended(state, NetError("connect", "nobody there"))
        state.notes["due"]["retry"].after(0)
    state.session["token"] = "open"
    policy(state, 3)
    assert begin(state) == "3"
    over(state)
    assert begin(state) == "0"


# A18
def test_a_newer_message_takes_the_place_of_one_that_waits():
    state = made()
    policy(state, 1, payload=b"{1}")
    begin(state)
    policy(state, 1, payload=b"{2}")
    outcome.ended(state, Broken())
    assert queued(state) == [("1", b"{2}")]
    assert begin(state) == "1"
    outcome.ended(state, Broken())
    policy(state, 1, payload=b"")
    assert queued(state) == [("1", b"")]
    assert begin(state) == "1"


# A18
def test_a_report_that_fails_lets_the_others_pass_and_goes_when_a_newer_one_is_there():
    state = made()
    state.reports = [("task", "1", "received"), ("inventory",), ("task", "1", "done")]
    assert begin(state)
    outcome.ended(state, Broken())
    assert state.reports == [("inventory",), ("task", "1", "done")]
    again(state, due.report)
    assert begin(state)
    outcome.ended(state, Broken())
    assert state.reports == [("task", "1", "done"), ("inventory",)]


def test_the_policy_of_a_job_that_was_given_up_is_not_lost():
    state = made()
    policy(state, 7)
    assert begin(state) == "7"
    state.box["guarded"]["lock"] = {"lock": "now"}, 0
    assert due.find(state)  # the duties before it
    assert queued(state) == [("7", b"{}")]


def test_each_job_over_rest_goes_on_without_the_link_when_that_needs_its_memory():
    for duty, comes in OVER_REST:
        state = with_reports()
        comes(state)
        assert begin(state)
        state.ended(NetError("memory", "no memory for another TLS connection"))
        assert state.link.down and state.alone
        assert begin(state) and at_hand(state) is duty


def test_the_link_comes_back_when_nothing_can_be_done_without_it():
    state = made()
    state.session.clear()
    state.link.close()
    state.alone = True
    assert state.job() is None
    assert not state.alone


def test_an_update_whose_settlement_broke_off_is_settled_again():
    state = made()
    nvs.put_int("update", 1)
    settle, ending.settle = ending.settle, lambda online: iter((0,))
    try:
        job = due.find(state)
        next(job)
        assert at_hand(state) is due.settle
        outcome.ended(state, MemoryError())
        state.link = Link()
        assert begin(state) and at_hand(state) is due.settle
    finally:
        ending.settle = settle
        nvs.put_int("update", 0)


# A22
def test_only_what_was_kept_and_is_unknown_is_strange():
    state = made()
    known.put(state, "1", 7, SILENT)
    for number, payload, retained, strange in (
        (1, b'{"x":2}', True, False),
        (2, b"{}", True, True),
        (3, b"{}", False, False),
        (4, b'{"x":"default"}', True, False),
        (5, b"", True, False),
    ):
        policy(state, number, payload=payload, retained=retained)
        assert due._strange(state, state.box["policies"][-1]) == strange, number
    state.rec["generation"] = "B"
    assert not due._strange(state, state.box["policies"][1])


def test_a_duty_whose_job_cannot_be_imported_has_failed():
    class Broke:
        def __getattr__(self, name):
            raise MemoryError

    state = with_reports()
    state.reports.append(("pong",))
    jobs.report = Broke()
    try:
        job = due.find(state)
        try:
            next(job)
        except MemoryError as e:
            outcome.ended(state, e)
        assert begin(state) is None and state.reports
    finally:
        del jobs.report


def test_a_refusal_that_was_looked_into_is_forgotten_when_the_link_was_up_since():
    state = made()
    state.link.close()
    state.link.reason = NetError("mqtt", "refused")
    state.link.reason.code = 5
    assert begin(state) and at_hand(state) is due.doubt
    outcome.ended(state, None)
    state.link.reason = None  # it was up, and has made room
    assert due.doubt(state) is None


def test_a_job_that_waits_does_not_keep_the_loop_awake():
    state = made()
    state.agent.job = iter(())
    state.look()
    assert state.left() == 1000


def test_answers_wait_for_the_reports_that_they_would_become():
    state = with_reports()
    known.put(state, "1", 7, HEARD)
    state.reports.extend([("pong",)] * 16)
    assert due.answer(state) is None
    state.reports.clear()
    assert not isinstance(due.answer(state), int)


def test_what_is_to_be_remembered_outlives_a_new_beginning():
    state = made()
    state.notes["refusals"] = 2
    due.find(state)
    again = Online(state.agent)
    assert again.session["token"] == "open" and again.notes["refusals"] == 2
    assert "due" not in again.notes


def test_nothing_is_looked_for_until_something_happens_or_the_time_has_come():
    state = made()
    state.session.clear()
    assert state.job() is None and 500000 < state.left() <= 600000
    state.box["failed"].append(("x", "y"))
    state.look()
    assert state.left() == 0
    assert state.job() and at_hand(state) is due.failed_app
