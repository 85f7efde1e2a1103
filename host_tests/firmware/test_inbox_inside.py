# Messages are sorted without ever taking more memory than they have themselves.

import binascii
import gc

from flyve import log
from flyve.inbox import DEALT, HEARD, SILENT, Inbox, Known, key

TOPIC = "76/agent/SN1"
FLEET = "76/fleet/1"
log.sink = lambda line: None


def _taken(name, payload):
    """An inbox that got the message, and the bytes that this took."""
    inbox = Inbox()
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    inbox.sort(TOPIC, FLEET, name, payload, False)
    taken = gc.mem_alloc() - before
    gc.enable()
    return inbox, taken


def test_a_message_that_is_nested_without_end_takes_no_memory():
    for payload in (b"[" * 4096, b'{"a":' * 800, b'{"a":[' + b"1," * 2000 + b"1]}"):
        for name in ("/Command/Wipe", "/Policy/x", "/Policy/x/Task/7"):
            inbox, taken = _taken(TOPIC + name, payload)
            assert taken < 2048, (name, taken)
            assert not inbox.commands


def test_a_topic_of_slashes_takes_no_memory():
    name = TOPIC + "/" * 3000
    inbox, taken = _taken(name, b"{}")
    assert taken < 12288, taken
    assert not inbox.commands


def test_the_task_of_a_nested_policy_is_told_as_of_one_that_is_too_long():
    inbox, _ = _taken(TOPIC + "/Policy/x/Task/7", b"[" * 4096)
    assert inbox.policies[0][3] is None


def test_a_message_of_usual_depth_is_kept():
    payload = b'{"subscribe":[{"topic":"76/fleet/2"}]}'
    inbox, _ = _taken(TOPIC + "/Command/Subscribe", payload)
    assert len(inbox.commands) == 1


def test_a_group_with_a_number_for_a_symbol_is_none():
    # MicroPython's json takes a number for a key.
    inbox, _ = _taken(FLEET + "/group", b'{5:"x","taskId":1}')
    assert not inbox.policies


def test_commands_are_taken_however_long_policies_wait():
    inbox = Inbox()
    for number in range(20):
        inbox.sort(TOPIC, None, TOPIC + "/Policy/x/Task/%d" % number, b"x" * 1000, True)
    assert inbox.overflow
    for number in range(200):
        inbox.next(always)
        inbox.back()  # it broke off, as it will again
        inbox.sort(TOPIC, None, TOPIC + "/Command/Wipe", b'{"wipe":"now"}', False)
        assert inbox.take()[0] == "wipe", number


def test_the_room_of_a_policy_that_is_done_is_free_again():
    inbox = Inbox()
    for number in range(50):
        inbox.sort(TOPIC, None, TOPIC + "/Policy/x/Task/%d" % number, b"x" * 1000, True)
        if number > 1:
            assert inbox.next(always)
            inbox.done(False)
    assert not inbox.overflow


# A15
def test_escaped_pairs_are_joined_in_commands_and_in_groups():
    inbox = Inbox()
    name = TOPIC + "/Command/Subscribe"
    inbox.sort(TOPIC, FLEET, name, rb'{"subscribe":[{"topic":"\ud83d\ude00"}]}', False)
    payload = rb'{"file":[{"removeFile":"\ud83d\ude00","taskId":"3"}]}'
    inbox.sort(TOPIC, FLEET, FLEET + "/file", payload, True)
    assert inbox.commands[0][1]["subscribe"][0]["topic"] == "\U0001f600"
    assert inbox.policies[0][3].decode().count("\U0001f600") == 1


def policy(inbox, number, payload=b"{}", retained=True, symbol="x"):
    name = TOPIC + "/Policy/%s/Task/%d" % (symbol, number)
    inbox.sort(TOPIC, None, name, payload, retained)


def always(entry):
    return True


def settle(inbox, number, payload=b"{}"):
    """The task is known, as if the file had it."""
    inbox.known.put(str(number), key(None, "x", str(number), binascii.crc32(payload)), SILENT)


# A1
def test_what_is_settled_takes_no_place_in_the_queue_and_is_to_be_told():
    inbox = Inbox()
    for number in range(300):
        settle(inbox, number)
    gc.collect()
    before = gc.mem_alloc()
    for number in range(0, 300, 3):
        policy(inbox, number)
    gc.collect()
    assert gc.mem_alloc() - before < 512
    assert not inbox.policies and not inbox.overflow
    assert sum(state == HEARD for state in inbox.known.states) == 100
    assert sum(state == SILENT for state in inbox.known.states) == 200


# A1
def test_a_settled_task_is_told_once_a_connection_but_for_a_live_message():
    inbox = Inbox()
    settle(inbox, 1)
    for retained, heard in ((True, False), (True, False), (False, True)):
        inbox.known.states[0] = DEALT
        policy(inbox, 1, retained=retained)
        assert inbox.known.any(HEARD) == heard


# A1
def test_another_message_about_a_settled_task_is_new():
    inbox = Inbox()
    settle(inbox, 1)
    policy(inbox, 1, b'{"x":2}')
    assert len(inbox.policies) == 1 and not inbox.known.any(SILENT)
    inbox.next(always)
    inbox.done(False)
    policy(inbox, 1, b'{"x":2}')
    assert not inbox.policies
    policy(inbox, 1)  # as it was before
    assert len(inbox.policies) == 1


# A1
def test_each_new_subscription_brings_what_was_not_there_before():
    inbox = Inbox()
    done = []
    turns = 0
    while turns < 20:
        turns += 1
        for number in range(300):
            policy(inbox, number)
        while True:
            entry = inbox.next(always)
            if not entry:
                break
            done.append(int(entry[2]))
            inbox.done(False)
        if inbox.stale() is None:
            break
        inbox.asked()
    assert done == list(range(300)) and turns == 19


# A1
def test_what_fails_leaves_its_place_by_count_and_by_bytes():
    for payload, most in ((b"{}", 16), (b"x" * 1500, 3), (b"x" * 4000, 1)):
        inbox = Inbox()
        for number in range(most):
            policy(inbox, number, payload)
            inbox.next(always)
            inbox.failed(None)
        assert len(inbox.policies) == most and not inbox.overflow
        policy(inbox, 99, b"y" * len(payload))
        assert inbox.next(always)[2] == "99"
        assert inbox.stale() > 0  # what left its place comes again
        policy(inbox, 0, payload)
        assert inbox.left(always) > 0  # and waits still


# A1
def test_more_that_fail_than_the_queue_has_room_for_let_the_others_pass():
    inbox = Inbox()
    seen = []
    for _ in range(20):
        for number in range(80):
            policy(inbox, number)
        while True:
            entry = inbox.next(always)
            if not entry:
                break
            seen.append(int(entry[2]))
            if entry[2] == "79":
                inbox.done(False)
            else:
                inbox.failed(None)
        if inbox.stale() != 0:
            break
        inbox.asked()
    assert sorted(seen) == list(range(80))


# A1
def test_the_policy_at_hand_does_not_come_twice():
    inbox = Inbox()
    policy(inbox, 1)
    inbox.next(always)
    policy(inbox, 1)
    assert not inbox.policies
    policy(inbox, 1, b'{"x":2}')
    inbox.failed(None)
    assert [one[3] for one in inbox.policies] == [b'{"x":2}']


def test_the_index_tells_each_task_from_the_others():
    known = Known()
    for number in range(300):
        known.put(number, number << 8 | number, DEALT)
    for number in range(300):
        assert known.find(number << 8 | number) == number == known.task(number), number
    known.drop(7)
    known.put(8, 5, SILENT)
    assert len(known) == 299 and known.task(7) < 0 and known.find(8 << 8 | 8) < 0
    assert known.find(5) == known.task(8) == 298 and known.states[298] == SILENT


# A8
def test_a_group_that_is_too_long_is_named():
    lines = []
    log.sink = lines.append
    try:
        inbox = Inbox()
        item = b'{"deployFile":"%SDCARD%/","id":"1","version":"1","taskId":"7"},'
        for payload in (None, b'{"file":[' + 60 * item + b"{}]}", b'{"file":' + b"[" * 300):
            for name in (FLEET + "/Policies/file", TOPIC + "/Policy/file"):
                inbox.sort(TOPIC, FLEET, name, payload, True)
                assert "ERROR policies: file is too long for one message: ignored" in lines.pop()
        inbox.sort(TOPIC, FLEET, FLEET + "/Policies/file", b"", True)  # it was cleared
        inbox.sort(TOPIC, FLEET, FLEET + "/Policy/x/Task/7", None, True)  # fails as a task
        assert not lines and len(inbox.policies) == 1
    finally:
        log.sink = lambda line: None
