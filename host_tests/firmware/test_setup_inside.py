"""The set-up page in the agent's loop: what is at work beside a phone that asks, and what is left
when something fails. With the driver of boards/virtual, by a clock that the tests move on."""

import builtins
import json
import re
import socket
import sys
import time

import network
import usocket

from flyve import log, memory
from flyve.jobs import nvs, setup

BOARD = True
DEADLINE = 300
STEP_MS = 20
PSK = "correct-horse"
LINK = (
    "http://flyve.org/deeplink/?data=aHR0cHM6Ly9nbHBpLmV4YW1wbGUub3JnL2FwaXJlc3QucGhwXDt1c2VyLXRva2"
    "VuXDtpbnZpdGF0aW9uLXRva2Vu"
)
HEADERS = " HTTP/1.1\r\nHost: 192.168.4.1\r\n"
PAGE = ("GET /" + HEADERS + "\r\n").encode()
INTERNET = b"GET /generate_204 HTTP/1.1\r\nHost: connectivitycheck.gstatic.com\r\n\r\n"
TAPPED = ("GET " + LINK[16:] + " HTTP/1.1\r\nHost: flyve.org\r\n\r\n").encode()

lines = []
log.sink = lambda line: lines.append(line.split(" ", 2)[2])
log.level = 0
now = [time.ticks_ms()]
time.ticks_ms = lambda: now[0]
air = {}
network._inputs.get = lambda: air
drop = memory.drop


class Agent:
    def __init__(self):
        self.settings = {}
        self.rec = {"state": "blank"}
        self.restarts = []
        self.begun_anew = []

    def button(self):
        return 1

    def begin_anew(self, part):
        self.begun_anew.append(part)

    def restart(self, why, _):
        self.restarts.append(why)


def start(known=(), aps=None, **more):
    """A set-up that has just begun."""
    air.clear()
    air["aps"] = {"attic": PSK} if aps is None else aps
    air["scan_ms"] = 0
    air.update(more)
    nvs.put("wifi", json.dumps(known).encode())
    network._wlans[1].active(False)
    network._wlans = network._Station(network.STA_IF, bytes(6)), network._wlans[1]
    network._wlans[0].active(True)
    network._wlans[0].config(reconnects=0)
    lines.clear()
    return setup.Setup(Agent(), network._wlans[0])


def turns(it, count):
    for _ in range(count):
        it.step()
        now[0] = time.ticks_add(now[0], STEP_MS)


def passes(it, ms):
    """So long nothing happens."""
    now[0] = time.ticks_add(now[0], ms)
    turns(it, 3)


def jobs():
    return sorted(name[11:] for name in sys.modules if name.startswith("flyve.jobs."))


def told(text):
    return sum(text in line for line in lines)


class Phone:
    """One connection."""

    def __init__(self, it, sent):
        self._it = it
        port = socket._servers._kept[80]
        self._s = usocket.socket()
        self._s.connect(usocket.getaddrinfo("127.0.0.1", port)[0][-1])
        self._s.setblocking(False)
        self._s.write(sent)
        self.said = b""
        self.gone = False

    def listen(self):
        """A turn of the loop, of whose answer the phone takes what is there."""
        turns(self._it, 1)
        try:
            got = self._s.read(65536)
        except OSError:
            got = b""
        self.said += got or b""
        if got == b"":
            self.leave()

    def leave(self):
        self.gone = True
        self._s.close()


def asked(it, sent):
    """What a phone hears."""
    phone = Phone(it, sent)
    for _ in range(1000):
        phone.listen()
        if phone.gone:
            return phone.said
        if not it._ap:
            raise OSError("the page is closed")
    raise AssertionError("no end: %r, %r" % (phone.said[-200:], lines[-5:]))


def form(it, **fields):
    fields["form"] = it._box["form"]
    body = "&".join(name + "=" + value.replace("=", "%3D") for name, value in fields.items())
    return ("POST /%sContent-Length: %d\r\n\r\n%s" % (HEADERS, len(body), body)).encode()


class Unread:
    """A connection whose phone has asked, and reads nothing."""

    def __init__(self):
        self._sent = PAGE

    def readinto(self, buf):
        n = len(self._sent)
        buf[:n] = self._sent
        self._sent = b""
        return n or None

    def write(self, _):
        return None

    def setblocking(self, _):
        pass

    def close(self):
        pass


class Crowd:
    """In place of the socket that listens: one of these waits at any time."""

    def accept(self):
        return Unread(), ("192.168.4.3", 1)

    def close(self):
        pass


def test_known_networks_are_tried_in_turn_while_a_phone_asks_for_the_internet():
    it = start([["attic", PSK], ["cellar", PSK]], {"cellar": PSK}, scan_ms=500)
    for _ in range(30):
        assert asked(it, INTERNET)[9:12] == b"302"
        turns(it, 15)
    assert it.up, lines
    assert nvs.get_int("net") == 1


def test_what_tries_the_known_networks_is_not_beside_a_page():
    it = start([["attic", PSK]], {}, scan_ms=5000)
    turns(it, 3)
    assert "wifi_join" in jobs()
    seen = set()
    still = time.ticks_ms

    def ticking():
        now[0] += 7  # each look takes a while: a page takes several turns
        return now[0]

    time.ticks_ms = ticking
    memory.drop = lambda *names: (seen.add(tuple(jobs())), drop(*names))
    try:
        assert asked(it, PAGE)[9:12] == b"200"
        assert asked(it, TAPPED)[9:12] == b"303"
        assert asked(it, form(it, ssid="attic", psk="short"))[9:12] == b"422"
    finally:
        memory.drop = drop
        time.ticks_ms = still
    assert any("page" in names for names in seen)
    for names in seen:
        for heavy in ("page", "deeplink", "setup_sent", "setup_link"):
            assert not (heavy in names and "wifi_join" in names), names


def test_the_agent_waits_from_the_first_look_at_the_page_on():
    it = start([["attic", PSK]])
    for _ in range(400):
        turns(it, 1)
    assert it.up and it.step()
    phone = Phone(it, PAGE)
    while not phone.gone:
        phone.listen()
        assert not phone.said or not it.step()
    assert "clock" in it._agent.begun_anew


def test_joining_goes_on_while_a_crowd_asks_and_reads_nothing():
    it = start(connect_ms=4000)
    assert asked(it, form(it, ssid="attic", psk=PSK, link=LINK))[9:12] == b"303"
    it._http._s = Crowd()
    turns(it, 60000 // STEP_MS)
    it._http.close()
    assert told("setup: joined attic"), lines[-10:]


def test_no_way_leaves_a_module_behind():
    it = start()
    before = jobs()
    length = "Content-Length: %d\r\n\r\n"
    for status, sent in (
        (200, PAGE),
        (200, PAGE.replace(b"GET", b"HEAD")),
        (302, INTERNET),
        (303, ("GET /again" + HEADERS + "\r\n").encode()),
        (404, ("GET /x" + HEADERS + "\r\n").encode()),
        (303, b"GET /deeplink?data=x HTTP/1.1\r\nHost: flyve.org\r\n\r\n"),
        (303, TAPPED),
        (403, form(it).replace(b"192.168.4.1", b"x.org")),
        (403, ("POST /" + HEADERS + length % 1 + "x").encode()),
        (422, {"ssid": "attic", "psk": "short"}),
        (422, {"ssid": "attic", "psk": PSK, "link": "no link"}),
        (411, ("POST /" + HEADERS + "\r\n").encode()),
        (413, ("POST /" + HEADERS + length % 99999).encode()),
        (414, b"GET /" + b"x" * 13000),
        (431, PAGE[:-2] + (b"X: " + b"y" * 500 + b"\r\n") * 40),
        (405, b"PUT / HTTP/1.1\r\n"),
        (400, b"GET /\r\n\r\n"),
        (505, b"GET / HTTP/9.9\r\n"),
        (408, PAGE[:-2]),
    ):
        sent = form(it, **sent) if isinstance(sent, dict) else sent
        assert asked(it, sent)[9:12] == str(status).encode(), (status, sent[:60])
        turns(it, 2)
        assert jobs() == before, (status, sent[:60])
    for sent in (b"", PAGE[:9], PAGE, form(it, ssid="attic")):
        phone = Phone(it, sent)
        phone.listen()
        phone.leave()
        turns(it, 300)
        assert jobs() == before, sent
    assert asked(it, form(it, ssid="attic", psk="wrong-one", link=LINK))[9:12] == b"303"
    turns(it, 300)
    assert it._box["shows"] == "failed" and jobs() == before
    assert asked(it, form(it, ssid="attic", psk=PSK))[9:12] == b"303"
    turns(it, 300)
    assert it._box["shows"] == "joined" and jobs() == before


def test_a_look_at_the_head_alone_takes_no_error_away():
    it = start()
    assert asked(it, TAPPED[:60] + b" HTTP/1.1\r\nHost: flyve.org\r\n\r\n")[9:12] == b"303"
    assert asked(it, PAGE.replace(b"GET", b"HEAD"))[9:12] == b"200"
    assert b"This invitation cannot be used" in asked(it, PAGE)


def test_a_fault_lets_all_of_it_go_and_it_opens_again():
    it = start()
    before = jobs()
    phone = Phone(it, form(it, ssid="attic", psk=PSK, link=LINK))
    turns(it, 20)
    half = Phone(it, PAGE[:20])
    turns(it, 2)
    wlan = it._ap

    class Stubborn:
        def active(self, on):
            wlan.active(on)
            raise OSError("Wifi Not Init")

    def fault():
        raise ValueError

    it._dns.step = fault
    it._ap = Stubborn()
    turns(it, 1)
    assert told("the page is closed: ValueError") and it._ap is None
    assert jobs() == ["setup", "setup_answer"]
    for one in (phone, half):
        for _ in range(3):
            if not one.gone:
                one.listen()
        assert one.gone, one.said
    passes(it, 31000)
    assert jobs() == before and asked(it, PAGE)[9:12] == b"200"


def test_a_want_of_memory_at_the_end_of_a_connection_closes_it():
    it = start()

    def short(*names):
        if "page" in names or "http_response" in names:
            raise MemoryError
        drop(*names)

    phone = Phone(it, PAGE)
    server = it._http
    answer = server._answer

    def begun(request):
        status, place, pieces = answer(request)

        def broken():
            try:
                yield from pieces
            finally:
                memory.drop("page")

        it._http._until = 0
        return status, place, broken()

    server._answer = begun
    memory.drop = short
    try:
        phone.listen()
        server.close()
    finally:
        memory.drop = drop
    phone.listen()
    phone.listen()
    assert phone.gone
    drop("page", "http_response", "http_request")


def whole(it):
    """What a person does, as far as it gets; True when the board has joined."""
    try:
        asked(it, INTERNET)
        asked(it, PAGE)
        asked(it, TAPPED)
        asked(it, form(it, ssid="attic", psk=PSK))
        turns(it, 300)
        return it._box["shows"] == "joined"
    except (OSError, TypeError):
        assert it._ap is None, lines


def test_a_want_of_memory_at_any_import_leaves_a_page_that_opens():
    wanted = __import__
    count = [0, 0]

    def scarce(name, *more):
        names = ["flyve.jobs." + one for one in more[2] or ()] if name == "flyve.jobs" else []
        if any(one not in sys.modules for one in names):
            count[0] += 1
            if count[0] == count[1]:
                raise MemoryError(name)
        return wanted(name, *more)

    it = start(connect_ms=100)
    before = jobs()
    failures = 0
    at = 0
    while True:
        at += 1
        count[:] = 0, at
        builtins.__import__ = scarce
        try:
            it = start(connect_ms=100)
            done = whole(it)
        finally:
            builtins.__import__ = wanted
        if count[0] < at:
            break
        failures += not done
        passes(it, 31000)
        assert it._ap and it._ap.active(), (at, lines)
        it._box["plan"] = it._end = None
        it._box["shows"] = "new"
        assert asked(it, PAGE)[9:12] == b"200", (at, lines)
        turns(it, 2)
        assert jobs() == before, (at, lines)
        assert whole(it), (at, lines)
    assert at > 20 and failures > 5
    assert not [line for line in lines if re.search("correct-horse|user-token", line)]
