# What was dealt with, and what the broker brings of it.

import binascii

from enrolled import Agent

from flyve import log, registry
from flyve.jobs import known, opening, tasks
from flyve.jobs.known import DEALT, HEARD, SILENT
from flyve.online import Online

BOARD = True
TOPIC = "76/agent/SN1"
FLEET = "76/fleet/1"
log.sink = lambda line: None


def made():
    """An enrolled agent, and its box."""
    online = Online(Agent(fleet=FLEET))
    return online, online.box


def keep(number, symbol, origin, payload, status="done"):
    """The file has the task, and it came with that payload."""
    digest = binascii.crc32(payload)
    tasks.put(tasks.make(str(number), symbol.lower(), origin, digest, status, 0))


def test_the_index_tells_each_task_from_the_others():
    online, box = made()
    for number in range(300):
        known.put(online, number, number << 8 | number, DEALT)
    for number in range(300):
        assert known.state(online, number << 8 | number) == DEALT
    known.drop(online, 7)
    known.put(online, 8, 5, SILENT)
    assert len(box["states"]) == 299 and not known.renewed(online, 7)
    assert known.state(online, 8 << 8 | 8) is None
    known.turn(online, 5, HEARD)
    assert known.state(online, 5) == HEARD == box["states"][298]
    assert known.renewed(online, 8)
    assert known.state(online, 5) == DEALT


def test_the_broker_brings_what_the_file_has():
    online, box = made()
    keep(1, "deployFile", "agent", b"one")
    keep(2, "disableWifi", "fleet", b"two")
    keep(3, "deployApp", "agent", b"three", "trial")
    opening.connect(online)
    try:
        assert list(box["states"]) == [SILENT, SILENT, DEALT]
        online.receive(TOPIC + "/Policy/deployFile/Task/1", b"one", True)
        online.receive(FLEET + "/Policy/disableWifi/Task/2", b"two", True)
        assert list(box["states"]) == [HEARD, HEARD, DEALT] and not box["raw"]
        # Of another topic, with another content, gone, or on trial: those are no answers.
        online.receive(FLEET + "/Policy/deployFile/Task/1", b"one", True)
        online.receive(TOPIC + "/Policy/deployFile/Task/1", b"", True)
        online.receive(TOPIC + "/Policy/deployFile/Task/1", None, True)
        online.receive(TOPIC + "/Policy/deployApp/Task/3", b"three", True)
        assert len(box["raw"]) == 4
        # The file is read again while the fleet is left: what was heard stays so.
        tasks.rewrite([], None, "fleet")
        known.read(online, True)
        assert list(box["states"]) == [HEARD, DEALT]
        known.read(online)
        assert list(box["states"]) == [SILENT, DEALT]
        # A30: of another enrollment there is nothing.
        online.agent.rec["agent_id"] = "18"
        opening.connect(online)
        assert not box["states"] and not box["keys"]
    finally:
        registry.belong(None)


# A8
def test_a_file_that_cannot_be_read_to_its_end_keeps_no_board_offline():
    def broken():
        yield tasks.make("1", "deployfile", "agent", 1234, "done", "x")
        raise OSError(5)

    online, box = made()
    whole, tasks.tasks = tasks.tasks, broken
    try:
        known.read(online)
        assert bytes((SILENT,)) in box["states"]
    finally:
        tasks.tasks = whole
