"""What the DNS of the set-up network answers."""

from flyve.jobs import captive_dns

ADDRESS = b"\xc0\xa8\x04\x01"


def asked(message):
    """The answer to a message, b"" for none."""
    buf = bytearray(512)
    buf[: len(message)] = message
    return bytes(buf[: captive_dns.answer(buf, len(message), ADDRESS)])


def question(name, kind=1, flags=b"\x01\x00", kind_class=1, count=1):
    labels = b"".join([bytes([len(part)]) + part for part in name.split(b".")]) + b"\0"
    head = b"\x12\x34" + flags + bytes([0, count, 0, 0, 0, 0, 0, 0])
    return head + labels + bytes([0, kind, 0, kind_class])


def test_each_name_has_the_boards_address():
    for name in (b"flyve.org", b"captive.apple.com", b"x", b"a" * 63 + b".b"):
        message = question(name)
        said = asked(message)
        assert said[:2] == b"\x12\x34" and said[2] & 0x80 and said[3] & 15 == 0
        assert said[4:12] == b"\0\1\0\1\0\0\0\0"
        assert said[12 : len(message)] == message[12:]
        assert said[len(message) :] == b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + ADDRESS


def test_other_questions_have_an_empty_answer():
    for kind in (28, 65, 16, 255):
        message = question(b"flyve.org", kind)
        said = asked(message)
        assert len(said) == len(message) and said[3] & 15 == 0 and said[6:8] == b"\0\0", kind
    assert asked(question(b"flyve.org", kind_class=3))[6:8] == b"\0\0"


def test_what_comes_behind_the_question_is_not_sent_back():
    message = question(b"flyve.org")[:10] + b"\0\1" + question(b"flyve.org")[12:]
    said = asked(message + b"\0\0\x29\x10\0\0\0\0\0\0\0")
    assert said[10:12] == b"\0\0" and said[-4:] == ADDRESS and len(said) == len(message) + 16


def test_an_answer_is_not_answered():
    assert asked(question(b"flyve.org", flags=b"\x81\x80")) == b""
    assert asked(b"") == asked(b"x" * 11) == b""


def test_what_is_malformed_is_told_so():
    for message in (
        question(b"flyve.org")[:-1],
        question(b"flyve.org")[:20],
        question(b"flyve.org", count=2),
        question(b"flyve.org", count=0),
        question(b"x")[:12] + b"\xc0\x0c\0\1\0\1",
        question(b".".join([b"a" * 62] * 5)),
    ):
        said = asked(message)
        assert len(said) == 12 and said[3] & 15 == 1 and said[4:6] == b"\0\0", message


def test_another_kind_of_message_is_not_implemented():
    said = asked(question(b"flyve.org", flags=b"\x28\0"))
    assert len(said) == 12 and said[3] & 15 == 4
