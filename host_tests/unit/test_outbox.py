"""QoS 1 messages: order, bounds, acknowledgements, DUP."""

from flyve.outbox import LIMIT, Outbox

BOARD = True

_WINDOW = 8


def made():
    wire = []
    return Outbox(lambda *message: wire.append(message)), wire


def test_messages_leave_in_order_and_without_dup():
    outbox, wire = made()
    for i in range(3):
        outbox.add("t%d" % i, b"x")
    outbox.pump()
    assert [(m[0], m[4]) for m in wire] == [("t0", False), ("t1", False), ("t2", False)]


def test_no_more_than_the_window_is_unacknowledged():
    outbox, wire = made()
    for _ in range(20):
        outbox.add("t", b"x")
    outbox.pump()
    assert len(wire) == _WINDOW
    outbox.acked(wire[0][3])
    outbox.pump()
    assert len(wire) == _WINDOW + 1


def test_after_a_reconnect_the_unacknowledged_go_again_in_order_with_dup():
    outbox, wire = made()
    for i in range(4):
        outbox.add("t%d" % i, b"x")
    outbox.pump()
    outbox.acked(wire[1][3])
    del wire[:]
    outbox.rewind()
    outbox.pump()
    assert [(m[0], m[4]) for m in wire] == [("t0", True), ("t2", True), ("t3", True)]


def test_what_was_never_sent_goes_without_dup_after_a_reconnect():
    outbox, wire = made()
    outbox.add("t", b"x")
    outbox.rewind()
    outbox.pump()
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
    outbox.pump()
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
        outbox.pump()
        outbox.acked(pid)
        wire.clear()
    assert last == 2
