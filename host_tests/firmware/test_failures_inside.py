"""Why tasks failed: kept on the flash, bounded, without secrets, for one enrollment."""

import os

from flyve import log
from flyve.jobs import failures, tasks

BOARD = True

log.sink = lambda line: None


class Online:
    def __init__(self, agent_id="17", link="abc", spread=0):
        self.rec = {"agent_id": agent_id, "link": link}
        self.settings = {"reconnect_spread": spread}
        self.notes = {}


def blank():
    try:
        os.remove(failures.PATH)
    except OSError:
        pass
    return Online()


def note(online, task_id, reason, origin="agent", status="failed"):
    task = tasks.make(task_id, "deployfile", origin, 0, status, 0)
    failures.note(online, task, status, reason)


def read(online):
    return failures.read(online.rec)


# B3
def test_a_reason_outlives_a_restart():
    note(blank(), "3", ValueError("no space"))
    assert read(Online()) == [["3", "deployfile", "failed", "no space"]]


# B3
def test_the_newest_eight_tasks_are_kept_each_once():
    online = blank()
    for number in range(20):
        note(online, number, "reason %d" % number)
    note(online, 15, "again")
    rows = read(online)
    assert [row[0] for row in rows] == ["12", "13", "14", "16", "17", "18", "19", "15"]
    assert rows[-1][3] == "again"


# B3
def test_a_reason_is_bounded_plain_and_without_secrets():
    online = blank()
    log.secret("api", "topsecret")
    note(online, "7" * 400, "\x1b[31m topsecret session_token=abc " + "\u00e9" * 400)
    log.secret("api", None)
    ((number, _, _, reason),) = read(online)
    assert number == "7" * 40 and 158 < len(reason.encode()) <= 160
    assert reason.startswith("\ufffd[31m *** session_token=*** \u00e9")
    failures.forget(online.rec, ["7" * 400])
    assert read(online) == []


# B3
def test_reasons_of_the_longest_characters_fit():
    online = blank()
    for number in range(8):
        note(online, "\U0001f600" * 40 + str(number), '"\U0001f600' * 200)
        note(online, "%d" % number + "\U0001f600" * 40, '"\U0001f600' * 200)
    assert len(read(online)) == 8


# B3
def test_the_reasons_of_another_enrollment_are_not_ours():
    note(blank(), "3", "x")
    assert read(Online("17", "other")) == read(Online("18")) == []


# B3
def test_a_damaged_file_is_as_good_as_none():
    online = blank()
    for text in (b"", b"[", b"\xff", b"{}", b"[1]", b'["17 abc",7]', b'["17 abc",[7,[1],"abcd"]]'):
        with open(failures.PATH, "wb") as f:
            f.write(text)
        assert all(len(row) == 4 for row in read(online)), text
        note(online, "1", "x")
        assert read(online)[-1][0] == "1"


# B3
def test_a_task_that_is_done_after_all_is_dropped():
    online = blank()
    note(online, "1", "x")
    note(online, 2, "y")
    failures.forget(online.rec, [1, "9"])
    assert [row[0] for row in read(online)] == ["2"]


# B3
def test_an_inventory_is_due_at_once_and_then_ever_later():
    online = blank()
    for pause in (0, 10000, 40000, 160000, 600000, 600000):
        before = log.uptime()
        note(online, "1", "x")
        assert abs(max(before, online.notes["inventory"]) - before - pause) < 1000
        failures.sent(online)
    online.notes["rested"] = log.uptime() - 600000
    failures.sent(online)
    assert online.notes["pause"] == 10000


# B3
def test_a_fleets_inventories_are_spread():
    found = set()
    for _ in range(20):
        online = blank()
        online.settings["reconnect_spread"] = 40
        note(online, "1", "x", origin="fleet")
        found.add(online.notes["inventory"] // 4000)
    assert len(found) > 2 and max(found) <= log.uptime() // 4000 + 11
