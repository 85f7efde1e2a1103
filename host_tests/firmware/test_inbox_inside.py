# Messages are sorted without ever taking more memory than they have themselves.

import binascii
import gc

from enrolled import Agent

from flyve import log
from flyve.jobs import inbox, known, waiting
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


def sort(online, name, payload, retained):
    online.receive(name, payload, retained)
    inbox.sort(online)


def _taken(name, payload):
    """A box that got the message, and the bytes that this took."""
    online, box = made()
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    sort(online, name, payload, False)
    taken = gc.mem_alloc() - before
    gc.enable()
    return box, taken


def test_a_message_that_is_nested_without_end_takes_no_memory():
    for payload in (b"[" * 4096, b'{"a":' * 800, b'{"a":[' + b"1," * 2000 + b"1]}"):
        for name in ("/Command/Wipe", "/Policy/x", "/Policy/x/Task/7"):
            box, taken = _taken(TOPIC + name, payload)
            assert taken < 2048, (name, taken)
            assert not box["commands"]


def test_a_topic_of_slashes_takes_no_memory():
    name = TOPIC + "/" * 3000
    box, taken = _taken(name, b"{}")
    assert taken < 12288, taken
    assert not box["commands"]


def test_the_task_of_a_nested_policy_is_told_as_of_one_that_is_too_long():
    box, _ = _taken(TOPIC + "/Policy/x/Task/7", b"[" * 4096)
    assert box["policies"][0]["payload"] is None


def test_a_message_of_usual_depth_is_kept():
    payload = b'{"subscribe":[{"topic":"76/fleet/2"}]}'
    box, _ = _taken(TOPIC + "/Command/Subscribe", payload)
    assert len(box["commands"]) == 1


def test_a_group_with_a_number_for_a_symbol_is_none():
    # MicroPython's json takes a number for a key.
    box, _ = _taken(FLEET + "/group", b'{5:"x","taskId":1}')
    assert not box["policies"]


def test_commands_are_taken_however_long_policies_wait():
    online, box = made()
    for number in range(20):
        sort(online, TOPIC + "/Policy/x/Task/%d" % number, b"x" * 1000, True)
    assert box["overflow"]
    for number in range(200):
        waiting.take(box, always)
        waiting.back(box)  # it broke off, as it will again
        sort(online, TOPIC + "/Command/Wipe", b'{"wipe":"now"}', False)
        assert box["commands"].pop(0)[0] == "wipe", number


def test_the_room_of_a_policy_that_is_done_is_free_again():
    online, box = made()
    for number in range(50):
        sort(online, TOPIC + "/Policy/x/Task/%d" % number, b"x" * 1000, True)
        if number > 1:
            assert waiting.take(box, always)
            waiting.done(online)
    assert not box["overflow"]


# A15
def test_escaped_pairs_are_joined_in_commands_and_in_groups():
    online, box = made()
    name = TOPIC + "/Command/Subscribe"
    sort(online, name, rb'{"subscribe":[{"topic":"\ud83d\ude00"}]}', False)
    payload = rb'{"file":[{"removeFile":"\ud83d\ude00","taskId":"3"}]}'
    sort(online, FLEET + "/file", payload, True)
    assert box["commands"][0][1]["subscribe"][0]["topic"] == "\U0001f600"
    assert box["policies"][0]["payload"].decode().count("\U0001f600") == 1


def policy(online, number, payload=b"{}", retained=True, symbol="x"):
    name = TOPIC + "/Policy/%s/Task/%d" % (symbol, number)
    sort(online, name, payload, retained)


def always(entry):
    return True


def settle(online, number, payload=b"{}"):
    """The task is known, as if the file had it."""
    task = {"origin": "agent", "symbol": "x", "id": number, "digest": binascii.crc32(payload)}
    known.put(online, str(number), known.number(online, task), SILENT)


# A1
def test_what_is_settled_takes_no_place_in_the_queue_and_is_to_be_told():
    online, box = made()
    for number in range(300):
        settle(online, number)
    gc.collect()
    before = gc.mem_alloc()
    for number in range(0, 300, 3):
        policy(online, number)
    gc.collect()
    assert gc.mem_alloc() - before < 512
    assert not box["policies"] and not box["overflow"]
    assert sum(state == HEARD for state in box["states"]) == 100
    assert sum(state == SILENT for state in box["states"]) == 200


# A1
def test_a_settled_task_is_told_once_a_connection_but_for_a_live_message():
    online, box = made()
    settle(online, 1)
    for retained, heard in ((True, False), (True, False), (False, True)):
        box["states"][0] = DEALT
        policy(online, 1, retained=retained)
        assert (HEARD in list(box["states"])) == heard


# A1
def test_another_message_about_a_settled_task_is_new():
    online, box = made()
    settle(online, 1)
    policy(online, 1, b'{"x":2}')
    assert len(box["policies"]) == 1 and bytes((SILENT,)) not in box["states"]
    waiting.take(box, always)
    waiting.done(online)
    policy(online, 1, b'{"x":2}')
    assert not box["policies"]
    policy(online, 1)  # as it was before
    assert len(box["policies"]) == 1


# A1
def test_each_new_subscription_brings_what_was_not_there_before():
    online, box = made()
    done = []
    turns = 0
    while turns < 20:
        turns += 1
        for number in range(300):
            policy(online, number)
        while True:
            entry = waiting.take(box, always)
            if not entry:
                break
            done.append(int(entry["id"]))
            waiting.done(online)
        if waiting.stale(box) is None:
            break
    assert done == list(range(300)) and turns == 19


# A1
def test_what_fails_leaves_its_place_by_count_and_by_bytes():
    for payload, most in ((b"{}", 16), (b"x" * 1500, 3), (b"x" * 4000, 1)):
        online, box = made()
        for number in range(most):
            policy(online, number, payload)
            waiting.take(box, always)
            waiting.failed(box, 0)
        assert len(box["policies"]) == most and not box["overflow"]
        policy(online, 99, b"y" * len(payload))
        assert waiting.take(box, always)["id"] == "99"
        waiting.done(online)
        assert waiting.stale(box) > 0  # what left its place comes again
        policy(online, 0, payload)
        assert waiting.take(box, always) is None and waiting.stale(box) > 0  # and waits still


# A1
def test_more_that_fail_than_the_queue_has_room_for_let_the_others_pass():
    online, box = made()
    seen = []
    for _ in range(20):
        for number in range(80):
            policy(online, number)
        while True:
            entry = waiting.take(box, always)
            if not entry:
                break
            seen.append(int(entry["id"]))
            if entry["id"] == "79":
                waiting.done(online)
            else:
                waiting.failed(box, 0)
        if waiting.stale(box) != 0:
            break
    assert sorted(seen) == list(range(80))


# A1
def test_the_policy_at_hand_does_not_come_twice():
    online, box = made()
    policy(online, 1)
    waiting.take(box, always)
    policy(online, 1)
    assert box["policies"] == [box["hand"]]
    policy(online, 1, b'{"x":2}')
    waiting.failed(box, 0)
    assert [one["payload"] for one in box["policies"]] == [b'{"x":2}']


# A8
def test_a_group_that_is_too_long_is_named():
    lines = []
    log.sink = lines.append
    try:
        online, box = made()
        item = b'{"deployFile":"%SDCARD%/","id":"1","version":"1","taskId":"7"},'
        for payload in (None, b'{"file":[' + 60 * item + b"{}]}", b'{"file":' + b"[" * 300):
            for name in (FLEET + "/Policies/file", TOPIC + "/Policy/file"):
                sort(online, name, payload, True)
                assert "ERROR policies: file is too long for one message: ignored" in lines.pop()
        sort(online, FLEET + "/Policies/file", b"", True)  # it was cleared
        sort(online, FLEET + "/Policy/x/Task/7", None, True)  # fails as a task
        assert not lines and len(box["policies"]) == 1
    finally:
        log.sink = lambda line: None
