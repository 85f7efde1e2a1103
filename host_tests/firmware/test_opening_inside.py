# What an enrolled agent begins with, and what precedes each connection.

from enrolled import Agent

from flyve import log, registry
from flyve.jobs import inbox, opening, waiting
from flyve.online import Online

BOARD = True
log.sink = lambda line: None


def begun(generation, report):
    agent = Agent(generation=generation)
    agent.settings["report"] = report
    return opening.begin(agent)


def test_only_generation_c_is_told_over_rest_and_only_when_that_is_wanted():
    for generation, report, rest, mqtt in (
        ("C", "mqtt", False, True),
        ("C", "rest", True, False),
        ("C", "both", True, True),
        ("B", "rest", False, True),
        ("A", "both", False, True),
    ):
        _, session, reports, by_mqtt = begun(generation, report)
        assert (reports == []) == rest and by_mqtt == mqtt, (generation, report)
        assert session == {}


def test_what_failed_and_never_came_again_is_forgotten():
    online = Online(Agent(generation="C"))
    box = online.box
    for number in range(2):
        online.receive("76/agent/SN1/Policy/x/Task/%d" % number, b"{}", True)
    inbox.sort(online)
    for _ in range(2):
        assert waiting.take(box, lambda one: True)
        waiting.failed(box, 0)
    keys = [one["key"] for one in box["policies"]]
    box["due"][keys[0]] -= 910000
    box["overflow"] = True
    opening.connect(online)
    registry.belong(None)
    assert list(box["due"]) == list(box["tries"]) == keys[1:]
    assert not box["overflow"]  # the connection brings all
