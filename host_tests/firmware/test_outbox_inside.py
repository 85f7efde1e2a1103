"""QoS 1 messages: order, bounds, acknowledgements, DUP, and what a reboot leaves of them."""

import os
import sys

from flyve import log
from flyve import outbox as module
from flyve.outbox import LIMIT, PATH, Outbox

BOARD = True

_WINDOW = 8


def made(owner=None, fresh=True):
    wire = []
    if fresh:
        try:
            os.remove(PATH)
        except OSError:
            pass
    return Outbox(owner), wire


def pump(outbox, wire):
    outbox.pump(lambda *message: wire.append(message[:5]))


def test_messages_leave_in_order_and_without_dup():
    outbox, wire = made()
    for i in range(3):
        outbox.add("t%d" % i, b"x")
    pump(outbox, wire)
    assert [(m[0], m[4]) for m in wire] == [("t0", False), ("t1", False), ("t2", False)]
    assert [m[2] for m in wire] == [False] * 3


def test_messages_are_gathered_before_they_are_sent():
    outbox, wire = made()
    outbox.add("t", b"x", True)
    outbox.pump(lambda *message: wire.append(message))
    assert wire == [("t", b"x", True, 1, False, True)]


def test_no_more_than_the_window_is_unacknowledged():
    outbox, wire = made()
    for _ in range(20):
        outbox.add("t", b"x")
    pump(outbox, wire)
    assert len(wire) == _WINDOW
    outbox.acked(wire[0][3])
    assert outbox.pump(lambda *message: wire.append(message)) == 1
    assert len(wire) == _WINDOW + 1


def test_after_a_reconnect_the_unacknowledged_go_again_in_order_with_dup():
    outbox, wire = made()
    for i in range(4):
        outbox.add("t%d" % i, b"x")
    pump(outbox, wire)
    outbox.acked(wire[1][3])
    del wire[:]
    outbox.rewind()
    pump(outbox, wire)
    assert [(m[0], m[4]) for m in wire] == [("t0", True), ("t2", True), ("t3", True)]


def test_what_was_never_sent_goes_without_dup_after_a_reconnect():
    outbox, wire = made()
    outbox.add("t", b"x")
    outbox.rewind()
    pump(outbox, wire)
    assert wire[0][4] is False


def test_a_full_outbox_refuses_and_loses_nothing():
    outbox, wire = made()
    for _ in range(LIMIT):
        assert outbox.add("t", b"x")
    assert outbox.add("t", b"x") == 0
    assert len(outbox) == LIMIT


def test_stray_and_repeated_acknowledgements_are_ignored():
    outbox, wire = made()
    pid = outbox.add("t", b"x")
    outbox.acked(pid)  # not yet sent
    assert pid in outbox
    pump(outbox, wire)
    outbox.acked(99)
    outbox.acked(pid)
    outbox.acked(pid)
    assert pid not in outbox and len(outbox) == 0


def test_packet_ids_wrap_and_are_never_zero():
    outbox, wire = made()
    last = 0
    for _ in range(32767 + 2):
        pid = outbox.add("t", b"")
        assert pid == last % 32767 + 1
        last = pid
        pump(outbox, wire)
        outbox.acked(pid)
        wire.clear()
    assert last == 2


def test_a_durable_message_is_on_flash_when_it_is_taken():
    outbox, _ = made()
    outbox.add("t", b'{"a": "b"}', True, True)
    again, wire = made(fresh=False)
    pump(again, wire)
    assert wire == [("t", b'{"a": "b"}', True, 1, True)]
    assert "flyve.jobs.outbox_file" not in sys.modules


def test_a_durable_message_that_is_not_retained_comes_back_so():
    outbox, _ = made()
    outbox.add("t", b"x", False, True)
    again, wire = made(fresh=False)
    pump(again, wire)
    assert wire == [("t", b"x", False, 1, True)]


def test_only_durable_messages_come_back():
    outbox, _ = made()
    for i in range(6):
        outbox.add("t%d" % i, b"x", False, i % 2 == 1)
    again, wire = made(fresh=False)
    pump(again, wire)
    assert [m[0] for m in wire] == ["t1", "t3", "t5"]


def test_an_acknowledged_message_leaves_the_flash_at_the_next_pump():
    outbox, wire = made()
    outbox.add("t0", b"x", False, True)
    outbox.add("t1", b"x", False, True)
    pump(outbox, wire)
    outbox.acked(wire[0][3])
    pump(outbox, wire)
    again, _ = made(fresh=False)
    assert "t0" not in again and "t1" in again


def test_while_others_wait_no_write_is_spent_on_each_acknowledgement():
    outbox, wire = made()
    for i in range(LIMIT):
        outbox.add("t%02d" % i, b"x", False, True)
    pump(outbox, wire)
    for _ in range(_WINDOW):
        outbox.acked(wire.pop(0)[3])
    pump(outbox, wire)
    assert len(made(fresh=False)[0]) == LIMIT
    outbox.acked(wire.pop(0)[3])
    pump(outbox, wire)
    again, left = made(fresh=False)
    pump(again, left)
    assert [m[0] for m in left] == ["t%02d" % i for i in range(9, 9 + _WINDOW)]
    while wire:
        outbox.acked(wire.pop(0)[3])
        pump(outbox, wire)
        late = _WINDOW if len(outbox) >= _WINDOW else 0
        assert len(made(fresh=False)[0]) <= len(outbox) + late
    assert os.stat(PATH)[6] == 0


def test_texts_of_any_kind_come_back_as_they_were():
    payload = '{"status": "a \\"b\\" \\\\ \\u0007 \u00e4\u20ac"}\n'.encode()
    outbox, _ = made('1"7')
    outbox.add('76/"\\/t', payload, True, True)
    outbox.add("t1", b"", False, True)
    again, wire = made('1"7', fresh=False)
    again.add("t2", b"x", False, True)
    again, wire = made('1"7', fresh=False)
    pump(again, wire)
    found = [('76/"\\/t', payload, True), ("t1", b"", False), ("t2", b"x", False)]
    assert [m[:3] for m in wire] == found


def test_messages_from_ram_do_not_touch_the_flash():
    outbox, wire = made()
    outbox.add("t", b"x")
    pump(outbox, wire)
    outbox.acked(wire[0][3])
    pump(outbox, wire)
    assert PATH[1:] not in os.listdir("/")


def test_a_full_outbox_comes_back_whole():
    outbox, _ = made()
    for i in range(LIMIT):
        assert outbox.add("76/agent/ESP32-240AC4000001/Status/Task/%d" % i, b"x", False, True)
    again, _ = made(fresh=False)
    assert len(again) == LIMIT
    assert again.add("t", b"x") == 0


def test_a_full_flash_costs_durability_and_not_the_message():
    def no_space(*_):
        raise OSError(28)

    def no_memory(*_):
        raise MemoryError

    for refuse in (no_space, no_memory):
        outbox, wire = made()
        module.open = refuse
        try:
            assert outbox.add("t", b"x", False, True)
        finally:
            del module.open
        pump(outbox, wire)
        assert len(wire) == 1


def test_a_flash_that_fills_in_the_middle_of_a_write_keeps_the_file_of_before():
    outbox, wire = made()
    for i in range(8):
        outbox.add("t%d" % i, b"x" * 180, False, True)
    try:
        with open("/fill", "w") as f:
            while True:
                f.write(bytes(4096))
                f.flush()
    except OSError:
        pass
    sink = log.sink
    said = []
    log.sink = said.append
    try:
        for i in range(8, LIMIT):
            assert outbox.add("t%d" % i, b"x" * 180, False, True)
        again, _ = made(fresh=False)
        assert 8 <= len(again) < LIMIT and "t7" in again, len(again)
        assert "outbox: not durable: free flash (ENOSPC (28))" in said[0]
    finally:
        log.sink = sink
        os.remove("/fill")
    pump(outbox, wire)
    outbox.acked(wire[0][3])
    outbox.add("last", b"x", False, True)
    assert len(made(fresh=False)[0]) == LIMIT


def test_what_is_not_wanted_any_more_goes_although_it_was_never_sent():
    outbox, wire = made()
    pid = outbox.add("t0", b"x")
    outbox.add("t1", b"x")
    outbox.acked(pid, True)
    pump(outbox, wire)
    assert [m[0] for m in wire] == ["t1"]


def test_the_wait_for_an_acknowledgement_is_known():
    outbox, wire = made()
    outbox.add("t", b"x")
    assert outbox.waiting() == 0
    pump(outbox, wire)
    outbox._moved -= 1000
    assert 1000 <= outbox.waiting() < 1500
    outbox.add("t", b"y")
    pump(outbox, wire)
    assert outbox.waiting() < 500
    outbox._moved -= 1000
    outbox.acked(wire[1][3])
    assert outbox.waiting() < 500
    outbox.acked(wire[0][3])
    assert outbox.waiting() == 0


def test_what_is_only_in_ram_and_old_is_not_sent_after_a_reconnect():
    outbox, wire = made()
    for topic, durable in (("old", False), ("durable", True), ("new", False)):
        outbox.add(topic, b"x", False, durable)
    outbox._queue[0][-1] -= 600000
    outbox._queue[2][-1] -= 599000
    outbox.rewind()
    pump(outbox, wire)
    assert [m[0] for m in wire] == ["durable", "new"] and len(outbox) == 2
