"""What the DNS of the set-up network answers."""

import socket
import time

from flyve import log
from flyve.jobs import captive_dns

BOARD = True

ADDRESS = b"\xc0\xa8\x04\x01"


def asked(message):
    """The answer to a message, b"" for none."""
    buf = bytearray(512)
    buf[: len(message)] = message
    size = captive_dns.answer(buf, len(message), ADDRESS)
    assert len(buf) == 512
    return bytes(buf[:size])


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


def test_an_answer_says_that_it_knows_and_what_the_question_wished():
    for flags, said in ((b"\0\0", b"\x84\0"), (b"\1\0", b"\x85\0"), (b"\3\x3f", b"\x85\0")):
        assert asked(question(b"flyve.org", flags=flags))[2:4] == said


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


def test_a_name_has_at_most_255_bytes():
    labels = [b"a" * 63] * 3
    assert asked(question(b".".join(labels + [b"b" * 61])))[3] == 0
    assert asked(question(b".".join(labels + [b"b" * 62])))[3] & 15 == 1


def test_a_datagram_has_at_most_512_bytes():
    message = question(b"flyve.org")
    assert asked(message + bytes(512 - len(message)))[-4:] == ADDRESS
    assert captive_dns.answer(bytearray(message + bytes(600)), 513, ADDRESS) == 0


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
        question(b"a" * 64),
    ):
        said = asked(message)
        assert len(said) == 12 and said[3] & 15 == 1 and said[4:6] == b"\0\0", message


def test_another_kind_of_message_is_not_implemented():
    said = asked(question(b"flyve.org", flags=b"\x28\0"))
    assert len(said) == 12 and said[3] & 15 == 4


class Looked:
    up = True

    def looked(self):
        pass


socket._servers = Looked()  # a peer's address is as on the chip


class Asking:
    """A server on a free port, and who asks it from the addresses given."""

    def __init__(self, *addresses):
        port = 20000 + time.ticks_us() % 10000
        while True:
            try:
                self.server = captive_dns.Server("127.0.0.1", bytearray(512), port)
                break
            except OSError:
                port += 1
        self.place = socket.getaddrinfo("127.0.0.1", port)[0][-1]
        self.clients = []
        for address in addresses:
            client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            client.bind(socket.getaddrinfo(address, 0)[0][-1])
            client.setblocking(False)
            self.clients.append(client)

    def ask(self, *messages):
        for client in self.clients:
            for message in messages:
                client.sendto(message, self.place)

    def answers(self):
        """How many answers each got after one step."""
        self.server.step()
        counts = []
        for client in self.clients:
            count = 0
            try:
                while client.recv(512)[-4:] == b"\x7f\0\0\1":
                    count += 1
            except OSError:
                pass
            counts.append(count)
        return counts

    def close(self):
        for one in [self.server, self.server] + self.clients:
            one.close()


def test_only_who_is_in_the_boards_own_network_is_answered():
    asking = Asking("127.0.0.9", "127.0.1.9")
    asking.ask(question(b"flyve.org"))
    assert asking.answers() == [1, 0]
    asking.close()


def test_a_step_answers_some_questions_and_the_next_one_the_others():
    asking = Asking("127.0.0.1")
    message = question(b"flyve.org")
    asking.ask(*([message] * 7 + [b""] + [message] * 2))
    assert [asking.answers() for _ in range(3)] == [[7], [2], [0]]
    asking.close()


def test_who_cannot_be_answered_is_told_in_the_log():
    lines = []
    sink, log.sink, log.level = log.sink, lines.append, 0
    asking = Asking("127.0.0.1")
    try:
        asking.answers()
        assert not lines
        asking.server.close()
        asking.answers()
        assert len(lines) == 1 and "DEBUG setup: DNS: " in lines[0]
    finally:
        log.sink, log.level = sink, 1
        asking.close()


def test_a_port_that_is_taken_is_said():
    asking = Asking()
    try:
        captive_dns.Server("127.0.0.1", bytearray(512), asking.place[2] << 8 | asking.place[3])
    except OSError as e:
        assert e.errno == 98  # EADDRINUSE
    else:
        raise AssertionError("taken twice")
    asking.close()
