# Called by test_rest_damage.py and test_mqtt_damage.py: one piece of the agent's work after the
# other, against a peer whose answers are damaged.

import gc
import sys
import time

from uctypes import addressof

from flyve import board, log, transport
from flyve.jobs import applying, delivery_steps, glpi, inbox, rest, rest_client
from flyve.online import Online

_ALLOWED = ("NetError", "RestError", "Failed")  # names: modules come and go
_AGENT = ("topic", "mqttpasswd", "broker", "port", "tls", "api_token")
_SESSION = ("glpiactiveprofile.id", "plugin_flyvemdm_guest_profiles_id", "glpiname", "glpiID")
_pins = None
log.sink = lambda line: None
log.level = 0
transport.trust.update(ca=None, verify=False)


class _Stream(transport.Stream):
    """As the agent's, but no exchange is longer than _ms."""

    def __init__(self, s, raw, host, address, until):
        super().__init__(s, raw, host, address, min(until, log.uptime() + _ms))

    def extend(self, ms):
        super().extend(min(ms, _ms) if ms > 10000 else ms)  # that is the time for an exchange


transport.Stream = _Stream


class _Dog:
    """The longest time without a feed, as the watchdog sees it."""

    def __init__(self):
        self.fed = time.ticks_ms()
        self.longest = 0

    def feed(self):
        now = time.ticks_ms()
        self.longest = max(self.longest, time.ticks_diff(now, self.fed))
        self.fed = now


def comb(hole):
    """From now on the free heap is in holes of so many bytes: a larger allocation fails. Returns
    the bytes that are free."""
    global _pins
    gc.collect()
    top = addressof(bytearray(8 * hole))
    gc.collect()
    # What is free below is in holes that are too small for anything but pins.
    part = None
    while part is None or addressof(part) < top:
        part = bytearray(128)
        _pins = [_pins, None, part]
    try:
        while True:
            _pins = [_pins, bytearray(hole), bytearray(128)]
    except MemoryError:
        pass
    node = _pins
    while node:
        node[1] = None
        node = node[0]
    gc.collect()
    try:
        bytearray(hole + 256)
    except MemoryError:
        return gc.mem_free()
    raise ValueError("a hole is too large")


def _open(api):
    rest.open(api, "user-token-0123456789")


def _full(api):
    return glpi.pick(api, "GET", "getFullSession", _SESSION, top=("session",))


def _profile(api):
    rest.request(api, "POST", "changeActiveProfile", "profiles_id=9")


def _create(api):
    data = b"{}" * 30
    answer = rest.request(api, "POST", "PluginFlyvemdmAgent", "", None, data, 30000, True)
    return glpi.picked(answer, ("id",))


def _agent(api):
    found = glpi.pick(api, "GET", "PluginFlyvemdmAgent/1", _AGENT)
    return [str(found.get(name))[:4] for name in _AGENT]


def _file(api):
    online = _Online()
    online.session = api["session"]
    online.rec["url"] = api["url"]
    for _ in applying.deliver(
        online, delivery_steps.begin(online, "PluginFlyvemdmFile/1", "/files/")
    ):
        pass


_WORK = (_open, _full, _profile, _create, _agent, _file)
_REST = {"token_in": "both", "app_token": None, "chunk": 4096}


class _Online:
    """What a delivery wants of an enrolled agent."""

    settings = _REST
    rec = {"api_token": None}


_ms = 1000


def http(port, begin, end, ms):
    """Does all kinds of work in turn; returns [index, name of the work, what it raised] for what
    may not happen, the longest time (ms) of one exchange, and of the time without a feed."""
    global _ms
    _ms = delivery_steps.idle_ms = ms
    dog = board._wdt = _Dog()
    wrong = []
    longest = 0
    for i in range(begin, end):
        url = f"http://127.0.0.1:{port}/apirest.php"
        api = rest_client.client(url, _REST, None, {"token": "session-0123456789"})
        work = _WORK[i % len(_WORK)]
        before = time.ticks_ms()
        try:
            work(api)
        except Exception as e:
            if type(e).__name__ not in _ALLOWED:
                sys.print_exception(e)
                wrong.append([i, work.__name__ + ": " + repr(e)])
            elif len(str(e)) > 700:
                wrong.append([i, f"a text of {len(str(e))} characters"])
        longest = max(longest, time.ticks_diff(time.ticks_ms(), before))
        log._secrets.clear()
    return wrong, longest, dog.longest


def describe(port):
    """The text of the error that a file's JSON form leads to."""
    try:
        _file(rest_client.client(f"http://127.0.0.1:{port}", _REST))
    except transport.NetError as e:
        return str(e)


class _Agent:
    notes = {}
    settings = {"online_payload": "auto", "reconnect_spread": 1, "keepalive": 60, "report": "mqtt",
                "tls": False, "port": None, "broker": None}  # fmt: skip

    def __init__(self, port):
        self.rec = {"topic": "76/agent/SN1", "mqttpasswd": "secret", "generation": "C",
                    "port": port, "broker": "127.0.0.1", "fleet": "76/fleet/1"}  # fmt: skip


class _Sorting(Online):
    """An agent that sorts all and does nothing."""

    messages = 0

    def receive(self, topic, payload, retained):
        self.messages += 1
        super().receive(topic, payload, retained)
        inbox.sort(self)
        self.box["policies"].clear()
        self.box["commands"].clear()


def broker(port, begin, end, ms):
    """Connects, and pumps until the connection is gone or ms milliseconds are over; returns as
    http(), in how many connections something was acknowledged, and how many messages came."""
    dog = board._wdt = _Dog()
    wrong = []
    longest = acknowledged = seen = 0
    for i in range(begin, end):
        before = time.ticks_ms()
        online = _Sorting(_Agent(port))
        connection = online.link
        connection.outbox._pid = (0, 32765, 32766)[i % 3]
        try:
            if connection.connect():
                for _ in range(3):
                    connection.publish("76/agent/SN1/Status/Task/1", b'{"status":"done"}')
                # What comes in now may acknowledge it.
                connection.outbox.pump(connection._client.post)
                while not connection.down:
                    connection.pump()
                    if time.ticks_diff(time.ticks_ms(), before) > ms:
                        break
                    connection.wait(20)
        except Exception as e:
            sys.print_exception(e)
            wrong.append([i, repr(e)])
        longest = max(longest, time.ticks_diff(time.ticks_ms(), before))
        seen += online.messages
        acknowledged += len(connection.outbox) < 3
        if connection._client:
            connection._client.close()
    return wrong, longest, dog.longest, acknowledged, seen
