"""Why tasks failed: kept on the flash, bounded, without secrets, for one enrollment."""

import os

from flyve import log
from flyve.jobs import failures

BOARD = True

log.sink = lambda line: None


class Agent:
    def __init__(self, agent_id="17", link="abc", spread=0):
        self.rec = {"agent_id": agent_id, "link": link}
        self.settings = {"reconnect_spread": spread}
        self.due = self.rested = self.pause = 0


def blank():
    try:
        os.remove(failures.PATH)
    except OSError:
        pass
    return Agent()


def note(agent, task_id, reason, origin="agent", status="failed"):
    failures.note(agent, [task_id, "deployfile", origin, 0, status, 0], status, reason)


# B3
def test_a_reason_outlives_a_restart():
    note(blank(), "3", ValueError("no space"))
    assert failures.read(Agent()) == [["3", "deployfile", "failed", "no space"]]


# B3
def test_the_newest_eight_tasks_are_kept_each_once():
    agent = blank()
    for number in range(20):
        note(agent, number, "reason %d" % number)
    note(agent, 15, "again")
    rows = failures.read(agent)
    assert [row[0] for row in rows] == ["12", "13", "14", "16", "17", "18", "19", "15"]
    assert rows[-1][3] == "again"


# B3
def test_a_reason_is_bounded_plain_and_without_secrets():
    agent = blank()
    log.secret("api", "topsecret")
    note(agent, "7" * 400, "\x1b[31m topsecret session_token=abc " + "\u00e9" * 400)
    log.secret("api", None)
    ((number, _, _, reason),) = failures.read(agent)
    assert number == "7" * 40 and 158 < len(reason.encode()) <= 160
    assert reason.startswith("\ufffd[31m *** session_token=*** \u00e9")
    failures.forget(agent, ["7" * 400])
    assert failures.read(agent) == []


# B3
def test_reasons_of_the_longest_characters_fit():
    agent = blank()
    for number in range(8):
        note(agent, "\U0001f600" * 40 + str(number), '"\U0001f600' * 200)
        note(agent, "%d" % number + "\U0001f600" * 40, '"\U0001f600' * 200)
    assert len(failures.read(agent)) == 8


# B3
def test_the_reasons_of_another_enrollment_are_not_ours():
    note(blank(), "3", "x")
    assert failures.read(Agent("17", "other")) == failures.read(Agent("18")) == []


# B3
def test_a_damaged_file_is_as_good_as_none():
    agent = blank()
    for text in (b"", b"[", b"\xff", b"{}", b"[1]", b'["17 abc",7]', b'["17 abc",[7,[1],"abcd"]]'):
        with open(failures.PATH, "wb") as f:
            f.write(text)
        assert all(len(row) == 4 for row in failures.read(agent)), text
        note(agent, "1", "x")
        assert failures.read(agent)[-1][0] == "1"


# B3
def test_a_task_that_is_done_after_all_is_dropped():
    agent = blank()
    note(agent, "1", "x")
    note(agent, 2, "y")
    failures.forget(agent, [1, "9"])
    assert [row[0] for row in failures.read(agent)] == ["2"]


# B3
def test_an_inventory_is_due_at_once_and_then_ever_later():
    agent = blank()
    for pause in (0, 10000, 40000, 160000, 600000, 600000):
        before = log.uptime()
        note(agent, "1", "x")
        assert abs(max(before, agent.due) - before - pause) < 1000
        failures.sent(agent)
    agent.rested = log.uptime() - 600000
    failures.sent(agent)
    assert agent.pause == 10000


# B3
def test_a_fleets_inventories_are_spread():
    found = set()
    for _ in range(20):
        agent = blank()
        agent.settings["reconnect_spread"] = 40
        note(agent, "1", "x", origin="fleet")
        found.add(agent.due // 4000)
    assert len(found) > 2 and max(found) <= log.uptime() // 4000 + 11
