"""Policies whose message has not come: the backend is asked whether they were taken back."""

import os

from enrolled import Agent

from flyve import log
from flyve.jobs import known, missing, rest_error, tasks
from flyve.jobs.known import DEALT, HEARD, SILENT
from flyve.online import Online
from flyve.transport import NetError

BOARD = True
log.sink = lambda line: None


def made(*states):
    """An enrolled agent with as many tasks, whose messages stand so."""
    try:
        os.remove(tasks.PATH)
    except OSError:
        pass
    for number in range(len(states)):
        tasks.put(tasks.make(str(number), "disablewifi", "agent", number, "done", 0))
    online = Online(Agent(fleet="76/fleet/1", agent_id="17"))
    known.read(online)
    online.box["states"] = bytearray(states)
    return online


def run(online, answer):
    """The tasks that are asked for, each of which has that answer."""
    asked = []

    def row(online, task_id):
        asked.append(task_id)
        if isinstance(answer, Exception):
            raise answer
        return answer

    missing._row = row
    online._at = 1
    for _ in missing.run(online):
        pass
    return asked


def test_only_what_has_not_come_is_asked_for_and_that_once():
    online = made(SILENT, HEARD, DEALT, SILENT)
    assert run(online, 5) == ["0", "3"]
    assert list(online.box["states"]) == [DEALT, HEARD, DEALT, DEALT]
    assert run(online, 5) == []


def test_where_the_backend_may_not_be_asked_nothing_more_is():
    online = made(SILENT, SILENT, HEARD)
    assert run(online, rest_error.RestError(403, "ERROR_RIGHT_MISSING", "no")) == ["0"]
    assert list(online.box["states"]) == [DEALT, DEALT, HEARD]


def test_while_the_backend_cannot_be_asked_all_stays_as_it_is():
    online = made(SILENT, SILENT)
    error = NetError("closed", "away")
    try:
        run(online, error)
    except NetError as e:
        assert e is error
    else:
        raise AssertionError("passed over")
    assert list(online.box["states"]) == [SILENT, SILENT]


def test_what_happens_meanwhile_comes_first():
    online = made(SILENT, SILENT)
    job = missing.run(online)
    online._at = 1
    next(job)
    online.look()
    assert not list(job) and list(online.box["states"]) == [SILENT, SILENT]


def test_what_was_taken_back_is_removed_one_at_a_time():
    online = made(SILENT, SILENT)
    assert run(online, None) == ["0"]
    assert [task["id"] for task in tasks.tasks()] == ["1"]
    assert list(online.box["states"]) == [SILENT]
