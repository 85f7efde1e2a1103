"""What an outbox finds of a former life, and what it does with a damaged file."""

import os
import sys

from flyve import log, memory
from flyve.outbox import LIMIT, PATH, Outbox

BOARD = True
log.sink = lambda line: None
ROW = '["t%d", "x", false]'


def found(text, owner=None):
    """The topics that are sent, and what the file holds then."""
    with open(PATH, "w") as f:
        f.write(text)
    wire = []
    outbox = Outbox(owner)
    while outbox.pump(lambda *message: wire.append(message)):
        for message in wire:
            outbox.acked(message[3])
    with open(PATH) as f:
        return [message[0] for message in wire], f.read()


def file(count, owner="null"):
    return "[%s, [%s]]" % (owner, ", ".join([ROW % i for i in range(count)]))


def test_a_file_that_cannot_be_read_is_an_empty_outbox():
    for text in ("", "[", "{}", "null", '["17"]', '[null, [["t"]]]', "[null, 3]", "\xff"):
        assert found(text) == ([], ""), text


def test_what_is_before_the_damage_is_sent():
    assert found("[null, [%s, %s, [5]]]" % (ROW % 0, ROW % 1)) == (["t0", "t1"], "")


def test_a_file_that_is_too_long_or_has_too_many_brackets_is_passed_over():
    for text in (file(2) + " " * 8192, "[null, %s]" % ("[" * 300 + "]" * 300)):
        assert found(text) == ([], ""), len(text)


def test_messages_of_another_owner_are_not_sent():
    assert found(file(2, '"17"'), "18")[0] == []
    assert found(file(2, '"17"'), "17")[0] == ["t0", "t1"]


def test_no_more_come_than_there_is_room_for():
    assert len(found(file(LIMIT + 3))[0]) == LIMIT


def test_nothing_of_it_stays_in_memory():
    memory.drop()
    found(file(1))
    assert not [key for key in sys.modules if key.startswith("flyve.jobs.")]
    os.remove(PATH)
