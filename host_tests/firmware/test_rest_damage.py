"""Damaged HTTP: whatever a server sends, each exchange ends in time, by an error that the agent
knows, within a fixed piece of heap."""

import re

import pytest

from host_tests.kit.damage import BYTES, HTTP, mutants
from host_tests.kit.peers import answer, says
from host_tests.kit.peers.liar import Liar, endings
from host_tests.kit.sample import chance

BOARD = True
HEAP = "320K"
DEADLINE = 600

LARGEST = 8 * 1024  # bytes of one allocation
MS = 250  # the deadline of each exchange
SLACK = 3000  # for a busy machine


def _whole(request):
    head, end, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"\r\nContent-Length: (\d+)", head)
    return end and len(body) >= int(length[1] if length else 0)


def _name(request):
    verb, target, _ = request.split(b"\r\n")[0].decode().split(" ")
    name = target.split("?")[0].removeprefix("/apirest.php/").split("/")[0]
    return "BYTES" if b"octet-stream" in request else f"{verb} {name}"


@pytest.fixture
def liar(recorded):
    """A server whose answers are all damaged, or with `honest` one in three is not."""
    answers, _ = recorded
    random = chance("http")
    ends = endings(random)
    made = []

    def answer(request):
        good = [answers[_name(request)]]
        if random.random() < 0.05:
            good = list(answers.values())  # an answer to another question
        # A download needs its first answer whole, to come to the others.
        if _name(request) == "GET PluginFlyvemdmFile" and random.random() < 0.6:
            return good[0], "close"
        return next(mutants(good, HTTP * 2 + BYTES, random, 1)), next(ends)

    made = Liar(answer, _whole)
    yield made
    made.close()


@pytest.mark.parametrize(
    "streams", [250, pytest.param(10_000, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])]
)
def test_no_answer_breaks_the_agent(upy, liar, streams):
    assert upy.call("damaged_streams", "comb", LARGEST) > 20 * LARGEST
    done = 0
    while liar.count < streams:
        wrong, longest, unfed = upy.call("damaged_streams", "http", liar.port, done, done + 60, MS)
        assert not wrong, (wrong, upy.output[-3000:])
        # A download makes up to a dozen exchanges.
        assert longest < 24 * MS + SLACK
        assert unfed < MS + SLACK
        done += 60


def test_an_endless_redirect_is_refused_at_its_first_step(upy, serve):
    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")

    peer = serve(script)
    wrong, _, _ = upy.call("damaged_streams", "http", peer.port, 0, 1, MS)
    assert not wrong
    assert peer.accepted == 1


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n{"])
def test_a_slow_loris_is_left_at_the_deadline(upy, serve, first):
    def script(connection):
        connection.request()
        connection.send(first)
        connection.drip(b"x" * 600, 0.03)

    peer = serve(script)
    wrong, longest, unfed = upy.call("damaged_streams", "http", peer.port, 1, 2, MS)
    assert not wrong
    assert longest < MS + SLACK
    assert unfed < SLACK


@pytest.mark.parametrize("size", [b"1e400", b"-1", b'"x"', b"[1]", b'{"a":1}', b"-1e999"])
def test_a_size_that_is_none_is_named(upy, serve, size):
    peer = serve(says(answer(b'{"name": "a.bin", "filesize": ' + size + b"}")))
    text = upy.call("damaged_streams", "describe", peer.port)
    assert "no size in the JSON form of PluginFlyvemdmFile/1" in text
