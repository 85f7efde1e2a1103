"""Damaged MQTT: whatever a broker sends, the link ends or goes on, in time, by no other error
than its own, within a fixed piece of heap."""

import pytest

from host_tests.kit.damage import BYTES, MQTT, mutants, packets, renamed
from host_tests.kit.peers.liar import Liar, endings
from host_tests.kit.sample import chance

BOARD = True
HEAP = "320K"
DEADLINE = 600

TOPIC = b"76/agent/SN1"
LARGEST = 5 * 1024  # bytes of one allocation
MS = 150  # how long a connection may stay open
SLACK = 3000  # for a busy machine


@pytest.fixture
def liar(recorded):
    """A broker all of whose streams are damaged."""
    _, stream = recorded
    start = stream.index(b"76/agent/")
    good = renamed(stream, stream[start : stream.index(b"/Command", start)], TOPIC)
    random = chance("mqtt")
    ends = endings(random)
    bad = mutants([good], MQTT * 2 + BYTES, random, 1 << 30)

    def answer(request):
        return next(bad), next(ends)

    made = Liar(answer, bool)
    yield made
    made.close()


@pytest.mark.parametrize(
    "streams", [200, pytest.param(10_000, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])]
)
def test_no_stream_breaks_the_link(upy, liar, streams):
    assert upy.call("damaged_streams", "comb", LARGEST) > 20 * LARGEST
    acknowledged = messages = 0
    for begin in range(0, streams, 100):
        found = upy.call(
            "damaged_streams", "broker", liar.port, begin, begin + 100, MS, deadline=120
        )
        wrong, longest, unfed, acks, seen = found
        assert not wrong, (wrong, upy.output[-3000:])
        assert longest < MS + SLACK
        assert unfed < MS + SLACK
        acknowledged += acks
        messages += seen
    assert liar.count >= streams
    # The damage is not such that nothing of the link is ever used.
    assert acknowledged > streams / 20
    assert messages > streams / 5


def test_the_recorded_stream_itself_brings_its_messages(upy, recorded):
    _, stream = recorded
    assert [one[0] & 0xF0 for one in packets(stream)][:5] == [0x20, 0x90, 0x30, 0x90, 0x90]
    start = stream.index(b"76/agent/")
    good = renamed(stream, stream[start : stream.index(b"/Command", start)], TOPIC)
    server = Liar(lambda request: (good, "hold"), bool)
    wrong, _, _, _, messages = upy.call("damaged_streams", "broker", server.port, 0, 1, MS)
    server.close()
    assert (wrong, messages) == ([], 3)
