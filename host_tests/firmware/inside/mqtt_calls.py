# Called by test_mqtt.py: flyve.mqtt.Client against a scripted broker.

import select
import time

import transport_calls as net

from flyve import transport
from flyve.jobs import mqtt_connect

client = None
events = []
_fail = False
_closes_at = None


def _event(*event):
    events.append(list(event))
    if event[0] == _closes_at:
        client.close()
    if _fail:
        raise KeyError("handler")


def _message(topic, payload, retained):
    _event("message", topic, payload, retained)


def start(fail=False, closes_at=None):
    global client, _fail, _closes_at
    if client:
        client.close()
    client = None
    net.start()
    events.clear()
    _fail = fail
    _closes_at = closes_at


def _report(work):
    result = {}
    begin = time.ticks_ms()
    try:
        result["value"] = work()
    except transport.NetError as e:
        if e.kind == "mqtt":
            result["code"] = e.code
        else:
            result["kind"] = e.kind
        result["text"] = str(e)
    result["ms"] = time.ticks_diff(time.ticks_ms(), begin)
    result["events"] = list(events)
    return result


def connect(
    port, ms=1000, will=("t/Status/Online", b"off"), keepalive=60, user="SN1", password="secret"
):
    rec = {"topic": "t/" + user, "mqttpasswd": password, "broker": net.HOST, "port": port}
    settings = {"tls": False, "port": None, "broker": None, "keepalive": keepalive}

    def work():
        global client
        handlers = (
            _message,
            lambda pid: _event("puback", pid),
            lambda pid, code: _event("suback", pid, code),
        )
        client = mqtt_connect.connection(rec, settings, will, ms, *handlers)

    return _report(work)


def pump(ms=0, want=0):
    """Pumps until there are `want` events, or for ms milliseconds; at least once."""

    def work():
        begin = time.ticks_ms()
        n = client.pump()
        while time.ticks_diff(time.ticks_ms(), begin) < ms and not (want and len(events) >= want):
            if client.sock is None:
                break
            if client.more or client.sock.poll_in(20):
                n += client.pump()
        return n

    return _report(work)


def pump_once():
    """How many packets one pump handles, and whether it says that there is more."""
    client.sock.poll_in(1000)
    return _report(lambda: [client.pump(), client.more])


def heal():
    """From now on the handlers work."""
    global _fail
    _fail = False


def post(topic, payload, retain=False, pid=0, dup=False):
    return _report(lambda: client.post(topic, payload, retain, pid, dup))


class Pieces:
    def __init__(self, count):
        self.count = count

    def __len__(self):
        return 100 * self.count

    def pieces(self):
        for i in range(self.count):
            yield b"%02d" % (i % 100) + b"x" * 98


def post_pieces(topic, count, pid):
    return _report(lambda: client.post(topic, Pieces(count), False, pid))


def ask(topic):
    return _report(lambda: client.ask(topic))


def unask(topic):
    return _report(lambda: client.ask(topic, b""))


def ping():
    return _report(client.ping)


def set_pid(pid):
    client._pid = pid


def pids(n):
    return [client.ask("t") for _ in range(n)]


def close(goodbye):
    return _report(lambda: client.close(goodbye))


def _await_bytes():
    client.sock.s.write(b"\xc0\0")
    poll = select.poll()
    poll.register(client.sock.s, select.POLLIN)
    assert poll.poll(1000)


def nested(count):
    """Pumps while the hook, too, pumps, in the middle of a read: the broker sends a piece of a
    message for each ping, so that there is something for both."""

    def hook():
        if len(events) < count:
            _await_bytes()
            client.pump()
            _await_bytes()

    transport.hook = hook

    def work():
        while len(events) < count:
            transport._sliced = time.ticks_add(time.ticks_ms(), -200)
            _await_bytes()
            client.pump()

    found = _report(work)
    transport.hook = None
    return found


def start_events():
    events.clear()
