# Messages are sorted without ever taking more memory than they have themselves.

import gc

from flyve import log
from flyve.inbox import Inbox

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
        inbox.policies.append(inbox.take(inbox.policies))  # it broke off, as it will again
        inbox.sort(TOPIC, None, TOPIC + "/Command/Wipe", b'{"wipe":"now"}', False)
        assert inbox.take(inbox.commands)[0] == "wipe", number


def test_the_room_of_a_policy_that_is_done_is_free_again():
    inbox = Inbox()
    for number in range(50):
        inbox.sort(TOPIC, None, TOPIC + "/Policy/x/Task/%d" % number, b"x" * 1000, True)
        if number > 1:
            assert inbox.take(inbox.policies)
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
