"""The durable record: what is read back, and what damaged slots do."""

import binascii
import json
import struct

from flyve import board
from flyve.record import LIMIT, NewerRecord, Record, RecordError

BOARD = True


def blank():
    for key in ("rec.a", "rec.b"):
        board.nvs_erase(key)
    return Record()


def slot(version=1, flags=0, sequence=1, body=b"{}", magic=b"FR"):
    blob = struct.pack("<2sBBIH", magic, version, flags, sequence, len(body)) + body
    return blob + struct.pack("<I", binascii.crc32(blob))


def used():
    return [key for key in ("rec.a", "rec.b") if board.nvs_get(key) is not None]


def test_a_blank_board_has_an_empty_record():
    rec = blank()
    assert rec.values == {} and rec.problems == []


def test_what_is_saved_is_read_back():
    blank().save(state="invited", topic="76/agent/X", port=8883, on=True)
    assert Record().values == {"state": "invited", "topic": "76/agent/X", "port": 8883, "on": True}


def test_none_removes_a_key():
    rec = blank()
    rec.save(a=1, b=2)
    rec.save(a=None)
    assert Record().values == {"b": 2}


def test_saves_alternate_between_the_slots():
    rec = blank()
    rec.save(n=1)
    rec.save(n=2)
    assert len(used()) == 2
    assert Record().get("n") == 2


def test_an_unchanged_save_writes_nothing():
    rec = blank()
    rec.save(n=1)
    rec.save(n=1)
    assert len(used()) == 1


def test_scrub_leaves_no_older_version():
    rec = blank()
    rec.save(token="secret")
    rec.save(scrub=True, token=None, state="enrolled")
    assert len(used()) == 1
    assert b"secret" not in board.nvs_get(used()[0])


def test_a_boot_finishes_a_scrub_that_a_cut_prevented():
    blank()
    board.nvs_set("rec.a", slot(sequence=1, body=b'{"token": "secret"}'))
    board.nvs_set("rec.b", slot(sequence=2, flags=1, body=b'{"state": "enrolled"}'))
    assert Record().values == {"state": "enrolled"}
    assert used() == ["rec.b"]


def test_a_boot_leaves_both_slots_as_they_are():
    rec = blank()
    rec.save(n=1)
    rec.save(n=2)
    before = [board.nvs_get(key) for key in ("rec.a", "rec.b")]
    Record()
    assert [board.nvs_get(key) for key in ("rec.a", "rec.b")] == before


def test_a_save_after_a_boot_leaves_the_newest_slot_alone():
    for newest, other in (("rec.a", "rec.b"), ("rec.b", "rec.a")):
        blank()
        board.nvs_set(newest, slot(sequence=2, body=b'{"n": 2}'))
        board.nvs_set(other, slot(sequence=1, body=b'{"n": 1}'))
        before = board.nvs_get(newest)
        Record().save(n=3)
        assert board.nvs_get(newest) == before
        assert board.nvs_get(other) == slot(sequence=3, body=b'{"n": 3}')


def test_saves_are_numbered_from_1():
    rec = blank()
    for n in (1, 2, 3):
        rec.save(n=n)
    assert board.nvs_get("rec.a") == slot(sequence=3, body=b'{"n": 3}')
    assert board.nvs_get("rec.b") == slot(sequence=2, body=b'{"n": 2}')


def test_the_higher_sequence_wins():
    blank()
    board.nvs_set("rec.a", slot(sequence=8, body=b'{"n": 8}'))
    board.nvs_set("rec.b", slot(sequence=7, body=b'{"n": 7}'))
    rec = Record()
    assert rec.get("n") == 8
    rec.save(n=9)
    assert Record().get("n") == 9


def test_a_damaged_slot_is_named_and_the_other_is_used():
    strange = slot(magic=b"XX", sequence=5)
    torn = slot(sequence=5)[:-1] + b"~"
    for damage in (b"", b"FR", b"x" * 40, strange, torn):
        rec = blank()
        rec.save(n=1)
        rec.save(n=2)
        board.nvs_set("rec.b" if Record()._slot == 0 else "rec.a", damage)
        rec = Record()
        assert rec.get("n") == 2
        assert len(rec.problems) == 1 and "slot rec." in rec.problems[0]


def test_what_is_shorter_than_a_head_is_too_short():
    for length, text in ((0, "too short"), (9, "too short"), (10, "not a record")):
        blank()
        board.nvs_set("rec.a", slot()[:length])
        assert Record().problems == ["slot rec.a is " + text]


def test_every_flipped_bit_is_noticed():
    blank().save(state="enrolled", n=12345)
    key = used()[0]
    good = board.nvs_get(key)
    for i in range(len(good) * 8):
        bad = bytearray(good)
        bad[i // 8] ^= 1 << i % 8
        board.nvs_set(key, bad)
        assert Record().values == {}


def test_two_damaged_slots_give_an_empty_record_and_two_problems():
    blank()
    board.nvs_set("rec.a", b"junk junk junk junk")
    board.nvs_set("rec.b", b"")
    rec = Record()
    assert rec.values == {} and len(rec.problems) == 2
    rec.save(n=1)
    assert Record().get("n") == 1


def test_a_newer_version_is_named_and_left_alone():
    blank()
    board.nvs_set("rec.a", slot(version=2, sequence=9, body=b"{}"))
    try:
        Record()
    except NewerRecord as e:
        assert "version 2" in str(e) and "flyve reset" in str(e)
    else:
        raise AssertionError("accepted")
    assert board.nvs_get("rec.a") == slot(version=2, sequence=9, body=b"{}")


def test_too_big_a_record_is_refused_and_nothing_changes():
    rec = blank()
    rec.save(n=1)
    try:
        rec.save(big="x" * LIMIT)
    except RecordError as e:
        assert "bytes" in str(e)
    else:
        raise AssertionError("accepted")
    assert rec.values == {"n": 1} == Record().values


def test_a_record_may_have_1900_bytes():
    rec = blank()
    room = 1900 - 14 - len(json.dumps({"big": ""}))
    rec.save(big="x" * room)
    assert len(Record().get("big")) == room
    try:
        rec.save(big="x" * (room + 1))
    except RecordError as e:
        assert str(e) == "the record would take 1901 bytes of 1900"
    else:
        raise AssertionError("accepted")


def test_clear_forgets_everything():
    rec = blank()
    rec.save(token="secret")
    rec.save(token="secret2")
    rec.clear()
    assert Record().values == {}
    assert not any(b"secret" in board.nvs_get(key) for key in used())


def test_the_keys_fit_nvs():
    for key in ("flyve", "rec.a", "rec.b", "wifi", "net"):
        assert len(key) <= 15


def test_a_slot_whose_json_is_no_object_is_unreadable():
    for body in (b"[]", b"null", b"5", b'"text"'):
        blank()
        board.nvs_set("rec.a", slot(body=body))
        rec = Record()
        assert rec.values == {} and len(rec.problems) == 1, body
