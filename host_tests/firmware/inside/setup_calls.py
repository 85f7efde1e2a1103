# Called by test_http_server_damage.py and test_captive_dns_damage.py: the servers of the set-up
# page, each with what a hostile phone sends. What they return is [index, what went wrong].

import gc
import socket
import sys
import time

from flyve import log, memory
from flyve.jobs import captive_dns, http_server, nvs, setup_answer, setup_facts, texts, wifi_scan

# What must never be seen: neither in an answer nor in the log, and not as markup.
SECRETS = (b"user-token-0123456789", b"invitation-token-0123456789", b"correct-horse-battery")
MARKUP = b"<script>alert"
_NAMES = (
    b"content-type", b"cache-control", b"connection", b"x-content-type-options",
    b"referrer-policy", b"content-security-policy", b"location", b"allow",
)  # fmt: skip
_PLACES = (b"/", b"http://192.168.4.1/")
_LONGEST_MS = 1000

_now = [0]
log.uptime = lambda: _now[0]
_said = []
log.sink = _said.append
log.level = 0


class _Agent:
    settings = {"email": "guest@example.org\x1b\u202e", "serial": "1\x07", "setup": "auto"}
    rec = {
        "state": "refused",
        "error": "<script>alert(1)</script>\x1b[2J\u202e",
        "helpdesk": '"><script>alert(2)</script>\u2066\x00',
    }


class _Station:
    """The air, with names that are markup."""

    def scan(self):
        names = (
            b"<script>alert(3)</script>",
            b'" onclick="alert(4)',
            b"attic",
            b"\xff",
            b"\r\nX: y",
            b"at\xe2\x80\xaetic",
        )
        return [(name, b"", 1, -40 - i, 3 - i % 2 * 3, False) for i, name in enumerate(names)]

    def isconnected(self):
        return True


class _Looked:
    up = True

    def looked(self):
        pass


# The module that gives a peer's address as on the chip; no port is another one here.
socket._servers = _Looked()


def _listen(make):
    """What make(port) makes on a free port, and its address."""
    port = 20000 + time.ticks_us() % 10000
    while True:
        try:
            return make(port), socket.getaddrinfo("127.0.0.1", port)[0][-1]
        except OSError:
            port += 1


def box():
    nvs.put("wifi", b'[["cel\\u0007lar", ""], ["cellar", "correct-horse-battery"]]')
    made = setup_facts.facts(_Agent)
    made["networks"] = wifi_scan.scan(_Station())
    return made


def _problem(answer):
    """What is wrong with an answer, None when nothing is."""
    head, end, body = answer.partition(b"\r\n\r\n")
    if not answer:
        return None  # it was not worth one
    lines = head.split(b"\r\n")
    if not end or lines[0][:9] != b"HTTP/1.1 " or not lines[0][9:12].isdigit():
        return "no answer: " + repr(answer[:200])
    for line in lines[1:]:
        name, _, value = line.partition(b": ")
        if name.lower() not in _NAMES:
            return "a strange header: " + repr(line)
        if name == b"Location" and value not in _PLACES:
            return "it leads to " + repr(value)
    body = str(body.replace(b"\n", b" "), "utf-8")
    if texts.plain(body) != body:
        return "not plain: " + repr(texts.plain(body))
    return _shown(answer)


def _jobs():
    return {name for name in sys.modules if name.startswith("flyve.jobs.")}


def _shown(text):
    for secret in SECRETS:
        if secret in text:
            return "a secret is in " + repr(text[:200])
    if MARKUP in text:
        return "markup is in " + repr(text[-400:])


def requests(data):
    """Sends each to the server; returns what went wrong, how many got which status, and the
    longest step in ms."""
    facts = box()
    wrong = []
    statuses = {}
    longest = 0
    server, address = _listen(
        lambda port: http_server.Server(
            lambda asked: setup_answer.answer(facts, asked, lambda: None), "127.0.0.1", port
        )
    )
    before = _jobs()
    for i, one in enumerate(data):
        one = one.replace(b"0123456789abcdef", facts["form"].encode())
        client = socket.socket()
        client.connect(address)
        client.setblocking(False)
        sent = 0
        answer = b""
        problem = None
        idle = 0
        while idle < 1200:  # of 20 ms each: more than all deadlines
            _now[0] += 20
            began = time.ticks_ms()
            try:
                server.step()
            except BaseException as e:
                sys.print_exception(e)
                problem = repr(e)
                break
            longest = max(longest, time.ticks_diff(time.ticks_ms(), began))
            idle += 1
            try:
                if sent < len(one):
                    n = client.write(one[sent : sent + 4096])
                    sent += n or 0
                    idle = 0 if n else idle
                got = client.read(4096)
            except OSError:
                break  # it has hung up
            if got == b"":
                break
            if got:
                answer += got
                idle = 0
        else:
            problem = "no end"
        client.close()
        while server._serving:
            _now[0] += 20
            server.step()
        if _jobs() - before:
            problem = problem or "left in memory: " + repr(_jobs() - before)
        problem = problem or _problem(answer)
        if problem:
            wrong.append([i, problem])
        status = answer[9:12].decode() if answer else ""
        statuses[status] = statuses.get(status, 0) + 1
        facts.update({"plan": None, "shows": "refused", "link": None, "again": False})
        for line in _said:
            if _shown(line.encode()) and "<script>" not in line:
                wrong.append([i, "the log: " + line])
            if "failed: " in line or "given up" in line:
                wrong.append([i, line])
        _said.clear()
    server.close()
    memory.drop()
    gc.collect()
    return wrong, statuses, longest


def datagrams(data):
    """Asks the DNS server each; returns what went wrong, and how many had an answer."""
    wrong = []
    answers = 0
    buf = bytearray(512)
    for i, one in enumerate(data):
        size = min(len(one), 512)
        buf[:size] = one[:size]
        problem = None
        try:
            made = captive_dns.answer(buf, size, b"\xc0\xa8\x04\x01")
        except Exception as e:
            sys.print_exception(e)
            wrong.append([i, repr(e)])
            continue
        if made:
            answers += 1
            if not 12 <= made <= 512 or made > size + 16:
                problem = "an answer of %d bytes to one of %d" % (made, size)
            elif bytes(buf[:2]) != one[:2] or not buf[2] & 0x80:
                problem = "no answer"
            elif buf[5] > 1 or buf[7] > 1 or buf[7] > buf[5]:
                problem = "more than one answer"
            elif buf[7] and bytes(buf[made - 4 : made]) != b"\xc0\xa8\x04\x01":
                problem = "another address"
            elif buf[5] and bytes(buf[12 : made - 16 * buf[7]]) != one[12 : made - 16 * buf[7]]:
                problem = "another question"
        elif size >= 12 and not one[2] & 0x80:
            problem = "no answer to a question"
        if problem:
            wrong.append([i, problem])
    return wrong, answers
