"""flyve.transport over TCP: deadlines, slices, what is refused, and that every way out closes."""

import os
import socket
import threading
from pathlib import Path

import pytest

from host_tests.kit.peers import Full, answer, says, silence
from host_tests.kit.peers.identities import HOST, issue

BOARD = True
HEAP = "3M"

NAMELESS = "nowhere.example.org"
DEADLINE_MS = 400


@pytest.fixture(autouse=True)
def fresh(upy):
    upy.call("transport_calls", "start")


def exchange(upy, peer, ms=1000, **options):
    arguments = {"tls": False, "how": "all", "host": HOST, "request": b"GET / HTTP/1.0\r\n\r\n"}
    arguments |= options
    return upy.call(
        "transport_calls", "exchange", getattr(peer, "port", peer), ms, *arguments.values()
    )


def on_time(found, kind="timeout", ms=DEADLINE_MS):
    assert found.get("kind") == kind, found
    assert ms - 20 <= found["ms"] < ms + 200, found["ms"]


def test_an_answer_comes_back_whole(upy, serve):
    data = bytes(range(256)) * 100
    assert exchange(upy, serve(says(data)))["value"] == data


def test_localhost_is_reached_by_its_ipv4_address(upy, serve):
    assert exchange(upy, serve(says(b"here")), host="localhost")["value"] == b"here"


def test_a_refused_connection_is_named(upy, closed_port):
    found = exchange(upy, closed_port)
    assert found["kind"] == "connect"
    assert found["text"] == f"cannot connect to {HOST} (ECONNREFUSED)"


def test_a_port_that_never_accepts_ends_at_the_deadline(upy, full):
    found = exchange(upy, full, DEADLINE_MS)
    on_time(found)
    assert HOST in found["text"]


# A4
def test_a_deadline_that_is_seven_days_old_has_passed(upy, serve):
    found = exchange(upy, serve(silence), how="days")
    assert found["kind"] == "timeout"


def test_an_unknown_name_is_named(upy):
    found = exchange(upy, 80, host=NAMELESS)
    assert found["kind"] == "dns"
    assert found["text"].startswith(f"no address for {NAMELESS}:")


def test_the_last_good_address_serves_when_dns_fails(upy, serve):
    peer = serve(says(b"ok"))
    exchange(upy, peer)
    upy.call("transport_calls", "forget", HOST)
    assert exchange(upy, peer)["value"] == b"ok"


# A21
@pytest.mark.parametrize("dead", [["127.0.0.2"], ["127.0.0.2", "127.0.0.3"]])
def test_an_address_that_refuses_gives_way_to_the_next_one(upy, serve, dead):
    upy.call("transport_calls", "rename", [*dead, "127.0.0.1"])
    assert exchange(upy, serve(says(b"ok")))["value"] == b"ok"


# A21
def test_an_address_that_never_accepts_has_only_its_share_of_the_time(upy, serve):
    peer = serve(says(b"ok"))
    hole = Full("127.0.0.2", peer.port)
    upy.call("transport_calls", "rename", ["127.0.0.2", "127.0.0.1"])
    first = exchange(upy, peer, 600)
    second = exchange(upy, peer, 600)
    hole.close()
    assert (first["value"], second["value"]) == (b"ok", b"ok")
    assert 250 < first["ms"] < 550
    assert second["ms"] < 200, "what was dead comes last"


# A21
def test_an_address_that_accepts_and_says_nothing_comes_last_the_next_time(upy, serve):
    peer = serve(says(b"ok"))
    dead = serve(silence, host="127.0.0.2", port=peer.port)  # nobody else listens there
    upy.call("transport_calls", "rename", ["127.0.0.2", "127.0.0.1"])
    assert exchange(upy, peer, 200)["kind"] == "timeout"
    for _ in range(2):
        assert exchange(upy, peer, 500)["value"] == b"ok"
    assert dead.accepted == 1


# A21
def test_an_address_from_before_is_tried_when_the_new_one_is_dead(upy, serve):
    peer = serve(says(b"ok"))
    assert exchange(upy, peer)["value"] == b"ok"
    upy.call("transport_calls", "rename", ["127.0.0.2"])
    assert exchange(upy, peer)["value"] == b"ok"


# A21
def test_when_all_addresses_are_dead_the_last_one_s_trouble_is_told(upy, closed_port):
    upy.call("transport_calls", "rename", ["127.0.0.1", "127.0.0.2"])
    for _ in range(3):
        found = exchange(upy, closed_port)
        assert found["text"] == f"cannot connect to {HOST} (ECONNREFUSED)"


# A21
def test_a_time_server_s_addresses_are_rotated(upy, datagrams):
    server = datagrams(lambda data: data + b"!")
    upy.call("transport_calls", "rename", ["127.0.0.2", "127.0.0.1"])
    assert "kind" in upy.call("transport_calls", "datagram", server.port, 100)
    for _ in range(2):
        assert upy.call("transport_calls", "datagram", server.port)["value"][0] == 4


def test_a_peer_that_never_answers_ends_at_the_deadline(upy, serve):
    on_time(exchange(upy, serve(silence), DEADLINE_MS))


@pytest.mark.parametrize("how", ["all", "lines"])
def test_a_trickle_does_not_move_the_deadline(upy, serve, how):
    def script(connection):
        connection.request()
        connection.drip(b"HTTP/1.0 200 OK and so on" * 9, 0.05)

    on_time(exchange(upy, serve(script), DEADLINE_MS, how=how))


def test_a_peer_that_closed_its_half_is_the_end_of_the_stream(upy, serve):
    def script(connection):
        connection.request()
        connection.sock.shutdown(socket.SHUT_WR)
        connection.drain()

    assert exchange(upy, serve(script))["value"] == b""


def test_a_reset_connection_is_named(upy, serve):
    def script(connection):
        connection.request()
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        connection.sock.close()

    found = exchange(upy, serve(script))
    assert found["kind"] == "closed"
    assert found["text"] == f"the connection to {HOST} broke (ECONNRESET)"


def test_a_wait_calls_the_hook_every_100_ms_and_never_inside_itself(upy, serve):
    upy.call("transport_calls", "use_hook")
    found = exchange(upy, serve(silence), 700)
    gaps = [b - a for a, b in zip(found["slices"], found["slices"][1:], strict=False)]
    assert 5 <= len(found["slices"]) <= 8, found["slices"]
    assert all(80 <= gap < 200 for gap in gaps), gaps
    assert found["nested"] == 0


def test_the_hook_runs_too_while_data_flows_without_a_wait(upy, serve):
    def script(connection):
        connection.request()
        while True:
            connection.send(bytes(65536))

    upy.call("transport_calls", "use_hook")
    found = exchange(upy, serve(script), 2000, how="busy")
    assert found["value"] > 500
    assert 4 <= len(found["slices"]) <= 6, found["slices"]


def test_waiting_feeds_the_watchdog(upy, serve):
    found = exchange(upy, serve(silence), 500)
    assert 5 <= found["feeds"] <= 8


def test_a_hook_that_fails_is_called_again(upy, serve):
    upy.call("transport_calls", "start")
    assert upy.call("transport_calls", "failing_hook", serve(silence).port) == [
        "ValueError",
        "timeout",
    ]


def test_small_writes_leave_as_one_segment(upy, serve):
    peer = serve(says(answer(b"{}")))
    upy.call("transport_calls", "many_writes", peer.port)
    request = b"".join(b"line %d\r\n" % i for i in range(20)) + b"\r\n\r\n"
    assert peer.connection().pieces == [request]


def test_a_long_header_line_loses_its_middle_and_the_next_is_read_right(upy, serve):
    lines = b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 5000 + b"\r\nContent-Length: 2\r\n\r\n"
    found = exchange(upy, serve(says(lines)), how="lines")["value"]
    assert [len(line) for line in found] == [17, 255, 19]
    assert found[1].startswith(b"X-Long: aaa")
    assert found[1].endswith(b"\n")
    assert found[2] == b"Content-Length: 2\r\n"


@pytest.mark.parametrize("length", range(250, 262))
def test_a_line_of_about_the_limit_keeps_its_end(upy, serve, length):
    line = b"A:" + b"b" * (length - 4) + b"\r\n"
    found = exchange(upy, serve(says(line + b"Next: 1\r\n\r\n")), how="lines")["value"]
    assert len(found[0]) == min(length, 255)
    assert found[0].startswith(b"A:b")
    assert found[0].endswith(b"\n")
    assert found[1:] == [b"Next: 1\r\n"]


@pytest.mark.parametrize("unit", [b"X-Header: something\r\n", b"x"])
def test_endless_headers_are_refused(upy, serve, unit):
    def script(connection):
        connection.request()
        while True:
            connection.send(unit * 1000)

    found = exchange(upy, serve(script), 3000, how="lines")
    assert (found["kind"], found["text"]) == ("limit", f"endless headers from {HOST}")


def test_a_second_connection_in_one_exchange_is_refused(upy, serve):
    peer = serve(silence)
    assert upy.call("transport_calls", "twice", peer.port)["kind"] == "moved"
    peer.joined(1)


def test_another_host_in_one_exchange_is_refused(upy):
    assert upy.call("transport_calls", "second_host", 80)["kind"] == "moved"


def test_a_connection_without_an_exchange_is_refused(upy):
    assert upy.call("transport_calls", "unasked", 80)["kind"] == "moved"


@pytest.mark.parametrize("tls", [False, True])
def test_a_big_body_reaches_a_slow_reader_whole(upy, serve, identity, tls):
    size = 1 << 18

    def script(connection):
        connection.silent(0.2)
        connection.exactly(4 + size - len(connection.received))
        connection.send(b"ok")

    upy.call("transport_calls", "start", identity.der)
    options = {"tls": identity.context()} if tls else {}
    peer = serve(script, receive_buffer=4096, **options)
    assert upy.call("transport_calls", "big", peer.port, size, 5000, tls)["value"] == b"ok"
    assert peer.received == b"head" + bytes(range(256)) * (size // 256)


def test_a_body_that_nobody_reads_ends_at_the_deadline(upy, serve):
    def script(connection):
        silent.wait(5)

    silent = threading.Event()
    peer = serve(script, receive_buffer=4096)
    on_time(upy.call("transport_calls", "big", peer.port, 1 << 19, DEADLINE_MS, False))
    silent.set()


def test_closing_does_not_wait_for_a_peer_that_is_stuck(upy, serve):
    peer = serve(lambda connection: None, keep=True, receive_buffer=4096)
    found = upy.call("transport_calls", "close_while_stuck", peer.port)
    assert found["ms"] < 700, found
    print(found)


def test_poll_in_waits_no_longer_than_asked_and_keeps_the_deadline(upy, serve):
    def script(connection):
        connection.exactly(2)
        threading.Event().wait(0.3)
        connection.send(b"ok")

    found = upy.call("transport_calls", "peek", serve(script).port, 2000, 100)
    assert found["value"] == [False, True, b"ok"]
    assert 250 < found["ms"] < 600


def test_a_datagram_is_answered(upy, datagrams):
    server = datagrams(lambda data: data + b"!")
    found = upy.call("transport_calls", "datagram", server.port)
    assert found["value"][0] == 4
    assert found["value"][1].startswith(b"ask!\0")


def test_a_datagram_without_an_answer_ends_at_the_deadline(upy, datagrams):
    server = datagrams(lambda data: None)
    on_time(upy.call("transport_calls", "datagram", server.port, 300), ms=300)
    assert server.received == [b"ask"]


def test_a_datagram_to_nowhere_is_named(upy):
    # Broadcasts are not permitted on this socket: the network refuses at once.
    found = upy.call("transport_calls", "datagram", 9, 300, "255.255.255.255")
    assert (found["kind"], found["text"]) == ("connect", "no way to 255.255.255.255")


def test_a_datagram_to_an_unknown_name_is_named(upy):
    found = upy.call("transport_calls", "datagram", 9, 300, NAMELESS)
    assert (found["kind"], found["text"]) == ("dns", f"no address for {NAMELESS}")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_every_failing_exchange_closes_its_socket(upy, serve, identity, full, closed_port):
    def hang_up(connection):
        connection.receive()

    def garbage(connection):
        connection.receive()
        connection.send(b"\0\1garbage" * 9)

    upy.call("transport_calls", "start", identity.der)
    # Port, TLS, deadline; the kinds that they give are below.
    kinds = [
        (closed_port, False, 500),
        (0, False, 500),
        (full.port, False, 10),
        (serve(silence).port, False, 10),
        (serve(silence).port, True, 10),
        (serve(hang_up).port, True, 500),
        (serve(garbage).port, True, 500),
        (serve(silence, tls=issue().context()).port, True, 1000),
        (serve(silence, tls=identity.context()).port, True, 30),
        (serve(says(answer(b"x"))).port, False, 500),
    ]
    upy.call("transport_calls", "mixed", kinds, 1)
    before = len(os.listdir(f"/proc/{upy.pid}/fd"))
    found = upy.call("transport_calls", "mixed", kinds, 20)
    assert len(os.listdir(f"/proc/{upy.pid}/fd")) == before
    assert sum(found.values()) == 200
    assert found == {"connect": 20, "dns": 20, "timeout": 80, "tls": 60, "none": 20}
