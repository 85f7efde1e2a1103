"""Hostile questions to the DNS of the set-up network."""

import struct

from host_tests.firmware.batches import sizes
from host_tests.kit.damage import BYTES, damaged
from host_tests.kit.sample import chance

BOARD = True
BATCH = 500


def question(name, kind=1, flags=0x0100, more=b"", count=1):
    labels = b"".join(bytes([len(part)]) + part for part in name.split(b".")) + b"\0"
    head = struct.pack("!6H", 4711, flags, count, 0, 0, 1 if more else 0)
    return head + labels + struct.pack("!2H", kind, 1) + more


GOOD = [
    question(b"flyve.org"),
    question(b"captive.apple.com", 28),
    question(b"www.example.org", 65),
    question(b"connectivitycheck.gstatic.com", more=b"\0\0\x29\x10\0\0\0\0\0\0\0"),
    question(b"a" * 63 + b"." + b"b" * 63),
    question(b"x", 255),
]


@sizes(1000, 10_000)
def test_questions(upy, count):
    random = chance("dns questions")
    answers = 0
    for _ in range(0, count, BATCH):
        data = [damaged(random, random.choice(GOOD), BYTES) for _ in range(BATCH)]
        wrong, answered = upy.call("setup_calls", "datagrams", data)
        assert not wrong, (wrong[0][1], data[wrong[0][0]], upy.output[-2000:])
        answers += answered
    assert answers > count / 4
