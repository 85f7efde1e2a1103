"""Hostile requests to the set-up page: each has an answer or none, in time; no header, no markup
and no secret gets through."""

import base64
import urllib.parse

from host_tests.firmware.batches import sizes
from host_tests.kit.damage import BYTES, HTTP, damaged
from host_tests.kit.sample import chance

BOARD = True
HEAP = "1M"
DEADLINE = 600
BATCH = 250
USER, INVITATION = "user-token-0123456789", "invitation-token-0123456789"
SCRIPT = "<script>alert(9)</script>"
MOVES = "\x1b[2J\u202e\x07"  # a cursor, and the way in which is written
FIELDS = ["https://glpi.example.org/apirest.php", USER, INVITATION, f"Help{SCRIPT}{MOVES}",
          f'"{SCRIPT}{MOVES}', f"https://{SCRIPT}", f"help@example.org{MOVES}"]  # fmt: skip
CODE = base64.b64encode("\\;".join(FIELDS).encode()).decode()
HEADERS = (
    "User-Agent: CaptiveNetworkSupport-400 wispr\r\nAccept: */*\r\nAccept-Language: en\r\n"
    "Connection: keep-alive\r\nCookie: a=b; c=d\r\n"
)


def request(line, host="192.168.4.1", body=""):
    length = f"Content-Length: {len(body)}\r\n" if body or line.startswith("POST") else ""
    return f"{line} HTTP/1.1\r\nHost: {host}\r\n{HEADERS}{length}\r\n{body}".encode()


def form(**fields):
    # The server's own token takes the place of this one.
    fields = {"form": "0123456789abcdef", "ssid": "attic", "psk": "battery-staple", **fields}
    return request("POST /", body=urllib.parse.urlencode(fields))


GOOD = [
    request("GET /"),
    request("HEAD /"),
    request("GET /again"),
    request("GET /hotspot-detect.html", "captive.apple.com"),
    request("GET /generate_204", "connectivitycheck.gstatic.com"),
    request("GET http://www.msftconnecttest.com/connecttest.txt", "www.msftconnecttest.com"),
    request(f"GET /deeplink/?data={CODE}", "flyve.org"),
    request(f"GET /deeplink?data={urllib.parse.quote(CODE)}", "flyve.org"),
    request(f"GET /{CODE}", "api.example.org"),
    request(f"GET /deeplink/?data={SCRIPT}", "flyve.org"),
    form(link=f"http://flyve.org/deeplink/?data={CODE}", email="guest@example.org"),
    form(link=SCRIPT, email=SCRIPT + MOVES, other=SCRIPT + MOVES, ssid=""),
    form(email=f'"{SCRIPT}@x', psk=SCRIPT),
    form(ssid="cellar", psk=""),
    form(form="another"),
]
TRAVERSAL = [b"/../../config.json", b"/%2e%2e/config.json", b"//etc/passwd", b"/flyve/agent.mpy",
             b"/\\..\\", b"/%00", b"/" + b"a" * 20000, b"*", b"http://", b"http://x", b"%",
             b"/?data=%", b"/%0d%0aX-Injected:%20yes"]  # fmt: skip


def _target(data, random):
    first, end, rest = data.partition(b"\r\n")
    parts = first.split(b" ")
    if len(parts) == 3:
        parts[1] = random.choice(TRAVERSAL)
    return b" ".join(parts) + end + rest


def _host(data, random):
    host = random.choice((b"", b"evil.example.org", b"192.168.4.1:80", b"192.168.4.1\r\nHost: x",
                          b"<script>alert(8)</script>", b"x" * 5000, b"\xff"))  # fmt: skip
    return data.replace(b"Host: 192.168.4.1", b"Host: " + host)


WAYS = BYTES + HTTP + (_target, _target, _host, _host)


def ask(upy, data):
    wrong, statuses, longest = upy.call("setup_calls", "requests", data)
    assert not wrong, (wrong[0][1], data[wrong[0][0]][:3000], upy.output[-2000:])
    assert longest < 1000
    return statuses


def test_good_requests_have_their_answers(upy):
    assert ask(upy, GOOD[:3]) == {"200": 2, "303": 1}
    assert ask(upy, GOOD[3:6]) == {"302": 3}
    assert ask(upy, GOOD[6:10]) == {"303": 4}
    assert ask(upy, GOOD[10:11]) == {"303": 1}
    assert ask(upy, GOOD[11:14]) == {"422": 3}
    assert ask(upy, GOOD[14:]) == {"403": 1}


def test_the_bounds_of_a_request(upy):
    body = "x" * 14337
    assert ask(upy, [request("GET /" + "a" * 12288)]) == {"414": 1}
    assert ask(upy, [request("GET /")[:-2] + b"X: " + b"y" * 17000 + b"\r\n\r\n"]) == {"431": 1}
    assert ask(upy, [request("GET /")[:-2] + b"X: y\r\n" * 64 + b"\r\n"]) == {"431": 1}
    assert ask(upy, [request("POST /", body=body)]) == {"413": 1}
    assert ask(upy, [request("POST /", body=body[:-1])]) == {"403": 1}
    assert ask(upy, [request("POST /", "evil.example.org", "a=b")]) == {"403": 1}
    assert ask(upy, [request("POST /x", body="a=b")]) == {"404": 1}
    assert ask(upy, [request("PUT /"), request("TRACE /")]) == {"405": 2}
    assert ask(upy, [b"GET / HTTP/1.1\r\n\r\n", b"GET /\r\n\r\n", b"\x16\x03\x01\x02\0\n"]) == {
        "400": 3
    }
    assert ask(upy, [b"GET / HTTP/2.0\r\nHost: x\r\n\r\n"]) == {"505": 1}
    assert ask(upy, [b"POST / HTTP/1.1\r\nHost: 192.168.4.1\r\n\r\n"]) == {"411": 1}


def test_a_request_that_never_ends_gets_its_answer_after_some_seconds(upy):
    good = request("GET /")
    assert ask(upy, [good[:n] for n in (3, 20, len(good) - 1)]) == {"408": 3}


@sizes(400, 10_000)
def test_requests(upy, count):
    random = chance("http requests")
    statuses = {}
    for _ in range(0, count, BATCH):
        data = [damaged(random, random.choice(GOOD), WAYS) for _ in range(min(BATCH, count))]
        for status, times in ask(upy, data).items():
            statuses[status] = statuses.get(status, 0) + times
    # The damage is not such that nothing of the page is ever used.
    assert statuses["200"] > count / 50 and statuses["303"] > count / 100
