"""The durable record: what is read back, and what damaged slots do."""

import binascii
import json
import struct
import sys

from flyve import agent, log, memory
from flyve.jobs import nvs, record_slots
from flyve.record import Record

BOARD = True


def blank():
    for key in ("rec.a", "rec.b"):
        nvs.erase(key)
    return read()


def read():
    return Record(*record_slots.load()[:3])


def problems():
    return record_slots.load()[3]


def slot(version=1, flags=0, sequence=1, body=b"{}", magic=b"FR"):
    blob = struct.pack("<2sBBIH", magic, version, flags, sequence, len(body)) + body
    return blob + struct.pack("<I", binascii.crc32(blob))


def used():
    return [key for key in ("rec.a", "rec.b") if nvs.get(key) is not None]


def test_a_blank_board_has_an_empty_record():
    rec = blank()
    assert rec.values == {} and problems() == []


def test_what_is_saved_is_read_back():
    blank().save(state="invited", topic="76/agent/X", port=8883, on=True)
    assert read().values == {"state": "invited", "topic": "76/agent/X", "port": 8883, "on": True}


def test_none_removes_a_key():
    rec = blank()
    rec.save(a=1, b=2)
    rec.save(a=None)
    assert read().values == {"b": 2}


def test_saves_alternate_between_the_slots():
    rec = blank()
    rec.save(n=1)
    rec.save(n=2)
    assert len(used()) == 2
    assert read().get("n") == 2


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
    assert b"secret" not in nvs.get(used()[0])


def test_a_boot_finishes_a_scrub_that_a_cut_prevented():
    blank()
    nvs.put("rec.a", slot(sequence=1, body=b'{"token": "secret"}'))
    nvs.put("rec.b", slot(sequence=2, flags=1, body=b'{"state": "enrolled"}'))
    assert read().values == {"state": "enrolled"}
    assert used() == ["rec.b"]


def test_a_boot_leaves_both_slots_as_they_are():
    rec = blank()
    rec.save(n=1)
    rec.save(n=2)
    before = [nvs.get(key) for key in ("rec.a", "rec.b")]
    read()
    assert [nvs.get(key) for key in ("rec.a", "rec.b")] == before


def test_a_save_after_a_boot_leaves_the_newest_slot_alone():
    for newest, other in (("rec.a", "rec.b"), ("rec.b", "rec.a")):
        blank()
        nvs.put(newest, slot(sequence=2, body=b'{"n": 2}'))
        nvs.put(other, slot(sequence=1, body=b'{"n": 1}'))
        before = nvs.get(newest)
        read().save(n=3)
        assert nvs.get(newest) == before
        assert nvs.get(other) == slot(sequence=3, body=b'{"n": 3}')


def test_saves_are_numbered_from_1():
    rec = blank()
    for n in (1, 2, 3):
        rec.save(n=n)
    assert nvs.get("rec.a") == slot(sequence=3, body=b'{"n": 3}')
    assert nvs.get("rec.b") == slot(sequence=2, body=b'{"n": 2}')


def test_the_higher_sequence_wins():
    blank()
    nvs.put("rec.a", slot(sequence=8, body=b'{"n": 8}'))
    nvs.put("rec.b", slot(sequence=7, body=b'{"n": 7}'))
    rec = read()
    assert rec.get("n") == 8
    rec.save(n=9)
    assert read().get("n") == 9


def test_a_damaged_slot_is_named_and_the_other_is_used():
    strange = slot(magic=b"XX", sequence=5)
    torn = slot(sequence=5)[:-1] + b"~"
    for damage in (b"", b"FR", b"x" * 40, strange, torn):
        rec = blank()
        rec.save(n=1)
        rec.save(n=2)
        nvs.put("rec.b" if read()._newest == 0 else "rec.a", damage)
        assert read().get("n") == 2
        assert len(problems()) == 1 and "slot rec." in problems()[0]


def test_what_is_shorter_than_a_head_is_too_short():
    for length, text in ((0, "too short"), (9, "too short"), (10, "not a record")):
        blank()
        nvs.put("rec.a", slot()[:length])
        assert problems() == ["slot rec.a is " + text]


def test_every_flipped_bit_is_noticed():
    blank().save(state="enrolled", n=12345)
    key = used()[0]
    good = nvs.get(key)
    for i in range(len(good) * 8):
        bad = bytearray(good)
        bad[i // 8] ^= 1 << i % 8
        nvs.put(key, bad)
        assert read().values == {}


def test_two_damaged_slots_give_an_empty_record_and_two_problems():
    blank()
    nvs.put("rec.a", b"junk junk junk junk")
    nvs.put("rec.b", b"")
    rec = read()
    assert rec.values == {} and len(problems()) == 2
    rec.save(n=1)
    assert read().get("n") == 1


def test_a_newer_version_is_named_and_left_alone():
    blank()
    nvs.put("rec.a", slot(version=2, sequence=9, body=b"{}"))
    try:
        read()
    except record_slots.NewerRecord as e:
        assert "version 2" in str(e) and "flyve reset" in str(e)
    else:
        raise AssertionError("accepted")
    assert nvs.get("rec.a") == slot(version=2, sequence=9, body=b"{}")


def test_too_big_a_record_is_refused_and_nothing_changes():
    rec = blank()
    rec.save(n=1)
    try:
        rec.save(big="x" * record_slots.LIMIT)
    except OSError as e:
        assert "bytes" in str(e)
    else:
        raise AssertionError("accepted")
    assert rec.values == {"n": 1} == read().values


def test_a_record_may_have_1900_bytes():
    rec = blank()
    room = 1900 - 14 - len(json.dumps({"big": ""}))
    rec.save(big="x" * room)
    assert len(read().get("big")) == room
    try:
        rec.save(big="x" * (room + 1))
    except OSError as e:
        assert str(e) == "the record would take 1901 bytes of 1900"
    else:
        raise AssertionError("accepted")


def test_a_scrub_of_all_keys_forgets_everything():
    rec = blank()
    rec.save(token="secret")
    rec.save(token="secret2")
    rec.save(scrub=True, **dict.fromkeys(rec.values))
    assert read().values == {}
    assert not any(b"secret" in nvs.get(key) for key in used())


def test_nothing_of_a_save_stays_in_memory():
    rec = blank()
    memory.drop()
    rec.save(n=1)
    assert not [key for key in sys.modules if key.startswith("flyve.jobs.")]


def without_memory(call):
    """True when the call raises: there is no room for its code. MicroPython's search for a module
    takes that for its absence when it comes early."""
    held = None
    memory.drop()
    for size in (4096, 1024, 256, 128):
        try:
            while True:
                held = [bytearray(size), held]
        except MemoryError:
            pass
    try:
        call()
    except (MemoryError, ImportError):
        return True
    finally:
        held = None
        memory.drop()


def test_a_save_without_the_memory_for_its_code_changes_nothing():
    rec = blank()
    rec.save(n=1)
    before = [nvs.get(key) for key in ("rec.a", "rec.b")]
    assert without_memory(lambda: rec.save(n=2))
    assert rec.values == {"n": 1}
    assert [nvs.get(key) for key in ("rec.a", "rec.b")] == before
    rec.save(n=2)
    assert read().values == rec.values == {"n": 2}


def test_a_failed_job_is_over_although_its_text_cannot_be_saved():
    class Agent:
        rec = blank()

    lines = []
    sink, log.sink = log.sink, lines.append
    Agent.rec.save = refuse
    try:
        agent.Agent.report(Agent, "online", ValueError("odd"))
    finally:
        log.sink = sink
    assert lines[-1].endswith("ERROR record: no room")


def refuse(**_):
    raise MemoryError("no room")


def test_the_keys_fit_nvs():
    for key in ("flyve", "rec.a", "rec.b", "wifi", "net"):
        assert len(key) <= 15


def test_a_slot_whose_json_is_no_object_is_unreadable():
    for body in (b"[]", b"null", b"5", b'"text"'):
        blank()
        nvs.put("rec.a", slot(body=body))
        assert read().values == {} and len(problems()) == 1, body
