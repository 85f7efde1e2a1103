"""flyve.link and a real broker, on a link that breaks all the time."""

import os
import threading
from contextlib import closing
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from flyve_mdm.backend.broker import BACKEND_USER
from flyve_mdm.backend.server import start_broker
from host_tests.kit.peers.broker import PUBLISH, Message, read
from host_tests.kit.proxy import DOWN, UP, Fault, Proxy
from host_tests.kit.sample import chance

BOARD = True

TOPIC = "76/agent/SN1"
RIGHTS = [("write", f"{TOPIC}/Status/#"), ("read", f"{TOPIC}/Command/#")]
WARM = 10
GROWTH = 256  # bytes: one more string or two, not one for each reconnect


@pytest.fixture
def broker(tmp_path):
    broker = start_broker("auto", tmp_path, "127.0.0.1", 0, None)
    broker.set_user("SN1", "secret", RIGHTS)
    yield broker
    broker.stop()


class Listener:
    """What a subscriber with QoS 1 gets, in order."""

    def __init__(self, broker):
        self.numbers = []
        self._ready = threading.Event()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.username_pw_set(BACKEND_USER, broker.password)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", broker.internal_port)
        self._client.subscribe(f"{TOPIC}/Status/Task/+", 1)
        self._client.loop_start()
        assert self._ready.wait(5)
        self._ready.clear()

    def _take(self, client, userdata, message):
        if message.topic.endswith("/last"):
            self._ready.set()
        else:
            self.numbers.append(int(message.payload))

    def close(self):
        """Waits for all that the broker has, and ends."""
        self._client.publish(f"{TOPIC}/Status/Task/last", b"", 1)
        assert self._ready.wait(30)
        self._client.disconnect()
        self._client.loop_stop()


class Stream:
    """What a connection brought, to be read packet by packet."""

    def __init__(self, data):
        self._data = bytes(data)

    def exactly(self, length):
        data, self._data = self._data[:length], self._data[length:]
        if len(data) < length:
            raise EOFError
        return data


def tasks(proxy):
    """The whole messages on Status/Task/# that went through, in order."""
    found = []
    for passage in proxy.passages:
        stream = Stream(passage.up)
        try:
            while True:
                op, body = read(stream)
                if op & 0xF0 == PUBLISH:
                    message = Message(op, body)
                    if "/Task/" in message.topic:
                        found.append(message)
        except EOFError:
            pass
    return found


def cut(random, most):
    """A reset after up to so many bytes of the board, or a tenth of the broker, which is as late:
    an acknowledgement is a tenth of its message."""
    direction = random.choice((UP, DOWN))
    return Fault("reset", direction, random.randint(1, most if direction == UP else most // 10))


def struck(proxy):
    """How many connections were cut."""
    return sum(passage.struck for passage in proxy.passages)


@pytest.mark.mosquitto  # the embedded broker loses what it has acknowledged
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("messages", "cuts", "durable"),
    [
        pytest.param(500, 25, False, id="sample"),
        pytest.param(200, 25, True, id="durable-sample"),
        pytest.param(10_000, 500, False, id="whole", marks=pytest.mark.soak),
        pytest.param(10_000, 500, True, id="durable-whole", marks=pytest.mark.soak),
    ],
)
def test_no_message_is_lost_and_none_comes_twice_without_dup(upy, broker, messages, cuts, durable):
    random = chance("storm")
    # About what a message takes.
    faults = [cut(random, 2 * 32 * messages // cuts) for _ in range(cuts)]
    listener = Listener(broker)
    with closing(Proxy(broker.port, dict(enumerate(faults)).get)) as proxy:
        upy.call("link_calls", "start", proxy.port)
        upy.call("link_calls", "storm", messages, durable, deadline=1500)
        upy.call("link_calls", "close")
        listener.close()
        assert struck(proxy) == cuts
        seen = set()
        for message in tasks(proxy):
            number = int(message.payload)
            assert message.topic == f"{TOPIC}/Status/Task/{number}"
            assert message.dup or number not in seen, message
            if number not in seen:
                assert number == len(seen), "out of order"
            seen.add(number)
        assert len(seen) == messages
    assert list(dict.fromkeys(listener.numbers)) == list(range(messages))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "count",
    [
        pytest.param(30, id="sample"),
        pytest.param(5000, id="whole", marks=pytest.mark.soak),
    ],
)
def test_heap_and_sockets_are_flat_over_reconnects(upy, broker, count):
    def descriptors():
        return len(os.listdir(f"/proc/{upy.pid}/fd"))

    random = chance("reconnects")
    # A third of the connections or so end by a cut.
    with closing(Proxy(broker.port, lambda _: cut(random, 900))) as proxy:
        upy.call("link_calls", "start", proxy.port)
        heap, sockets = upy.call("link_calls", "reconnects", WARM), descriptors()
        after = upy.call("link_calls", "reconnects", count, deadline=1500)
        assert struck(proxy) > count // 8
        assert descriptors() == sockets
        assert after - heap <= GROWTH
