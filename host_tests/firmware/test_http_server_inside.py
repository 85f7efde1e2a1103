"""The work of the set-up page's server comes in slices, whatever a phone sends or takes."""

import socket
import time

from flyve import log
from flyve.jobs import http_server

BOARD = True
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
BIG = b"X: " + b"y" * 200 + b"\r\n"


class Looked:
    up = True

    def looked(self):
        pass


socket._servers = Looked()  # a peer's address is as on the chip
clock = [0]


def uptime():
    # Each look takes a while.
    clock[0] += 7
    return clock[0]


log.uptime = uptime


def answered(sent, answer):
    """How many steps the server takes for one connection, and what it says."""
    port = 20000 + time.ticks_us() % 10000
    while True:
        try:
            server = http_server.Server(answer, "127.0.0.1", port)
            break
        except OSError:
            port += 1
    client = socket.socket()
    client.connect(socket.getaddrinfo("127.0.0.1", port)[0][-1])
    client.write(sent)
    client.setblocking(False)
    said = b""
    steps = 0
    got = None
    while got != b"" and steps < 2000:
        said += got or b""
        server.step()
        steps += 1
        got = client.read(65536)
    client.close()
    server.close()
    return steps, said


def page(*_):
    def pieces():
        yield b"default-src 'none'"
        for _ in range(100):
            yield b"piece"

    return 200, None, pieces()


def test_a_page_of_many_pieces_takes_several_slices():
    steps, said = answered(GET, page)
    assert said.count(b"piece") == 100
    assert steps >= 10


def test_a_long_request_takes_several_slices():
    steps, said = answered(GET[:-2] + BIG * 50 + b"\r\n", lambda *_: (404, None, None))
    assert said[9:12] == b"404"
    assert steps >= 2


def test_what_comes_behind_a_refusal_takes_several_slices():
    steps, said = answered(b"PUT / HTTP/1.1\r\n" + BIG * 50, page)
    assert said[9:12] == b"405"
    assert steps >= 5
