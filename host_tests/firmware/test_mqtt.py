"""flyve.mqtt: byte-exact packets out, and any packet in, whole or in pieces."""

import pytest

from host_tests.kit.peers import answer, silence
from host_tests.kit.peers.broker import (
    CONNACK,
    PINGRESP,
    PUBACK,
    PUBCOMP,
    PUBREC,
    PUBREL,
    SUBACK,
    UNSUBACK,
    packet,
    puback,
    publish,
    read,
    string,
)

BOARD = True

LIMIT = 4608
_OPEN = packet(CONNACK, b"\0\0")


def accepts(connection):
    read(connection)
    connection.send(_OPEN)


@pytest.fixture(autouse=True)
def fresh(upy):
    upy.call("mqtt_calls", "start")


@pytest.fixture
def wire(upy, serve):
    """An open connection: the broker's end, driven by the test."""
    peer = serve(accepts, keep=True)
    found = upy.call("mqtt_calls", "connect", peer.port)
    assert "text" not in found, found
    connection = peer.connection()
    peer.joined()
    return connection


def pump(upy, ms=0, want=0):
    return upy.call("mqtt_calls", "pump", ms, want)


def events(upy, count=1):
    found = pump(upy, 1000, count)
    assert "text" not in found, found
    return found["events"]


def broken(upy, text):
    found = pump(upy, 1000, 99)
    assert found.get("text") == text, found
    return found


def test_connect_is_byte_exact(upy, serve):
    peer = serve(accepts, keep=True)
    will = ["76/agent/SN1/Status/Online", b'{"online": false}', True, 1]
    upy.call("mqtt_calls", "connect", peer.port, 1000, will, 300)
    body = string("MQTT") + b"\x04\xee" + (300).to_bytes(2, "big") + string("SN1")
    body += string(will[0]) + string(will[1].decode()) + string("SN1") + string("secret")
    assert peer.connection().pieces == [packet(0x10, body)]


# A10
def test_connect_counts_bytes(upy, serve):
    peer = serve(accepts, keep=True)
    will = ["76/agent/Prüfstand-3/Status/Online", b'{"online": false}', True, 1]
    found = upy.call(
        "mqtt_calls", "connect", peer.port, 1000, will, 300, "Prüfstand-3", "geheim€\U0001f511"
    )
    assert "text" not in found, found
    body = string("MQTT") + b"\x04\xee" + (300).to_bytes(2, "big") + string("Prüfstand-3")
    body += string(will[0]) + string(will[1].decode()) + string("Prüfstand-3")
    body += string("geheim€\U0001f511")
    assert peer.connection().pieces == [packet(0x10, body)]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1, "protocol version refused"),
        (2, "client id refused"),
        (3, "broker unavailable"),
        (4, "bad user name or password"),
        (5, "not authorized"),
        (77, "77"),
    ],
)
def test_a_refusal_is_named(upy, serve, code, reason):
    def script(connection):
        read(connection)
        connection.send(packet(CONNACK, bytes([0, code])))

    found = upy.call("mqtt_calls", "connect", serve(script).port)
    assert (found["code"], found["text"]) == (code, "refused: " + reason)


@pytest.mark.parametrize(
    "data",
    [b"", _OPEN[:1], _OPEN[:3], b"\x20\x03\0\0\0", b"\xd0\0\0\0", answer(b"", "400 Bad Request")],
    ids=["nothing", "one byte", "three bytes", "long", "pong", "http"],
)
def test_what_is_no_connack_is_named(upy, serve, data):
    def script(connection):
        read(connection)
        connection.send(data)

    found = upy.call("mqtt_calls", "connect", serve(script).port)
    assert (found["code"], found["text"]) == (0, "no MQTT broker answered there")


def test_a_broker_that_does_not_answer_ends_at_the_deadline(upy, serve):
    found = upy.call("mqtt_calls", "connect", serve(silence).port, 300)
    assert found["kind"] == "timeout"
    assert 280 <= found["ms"] < 500


def test_a_refused_connection_is_named(upy, closed_port):
    assert upy.call("mqtt_calls", "connect", closed_port)["kind"] == "connect"


def test_connack_in_pieces(upy, serve):
    def script(connection):
        read(connection)
        connection.drip(_OPEN, 0.02)

    assert "text" not in upy.call("mqtt_calls", "connect", serve(script, keep=True).port)


@pytest.mark.parametrize("pid", [0, 0x1234])
def test_a_message_split_at_every_byte(upy, wire, pid):
    data = publish("76/agent/SN1/Command/Ping", b'{"q":"r\xc3\xa9"}', pid)
    for i in range(1, len(data)):
        wire.send(data[:i])
        assert pump(upy)["events"] == [], i
        wire.send(data[i:])
        expected = ["message", "76/agent/SN1/Command/Ping", b'{"q":"r\xc3\xa9"}', False]
        assert events(upy) == [expected], i
        assert wire.exactly(4) == puback(pid) if pid else True
        upy.call("mqtt_calls", "start_events")


def test_a_message_byte_by_byte(upy, wire):
    for byte in publish("t", b"x" * 200, 7):
        wire.send(bytes([byte]))
        pump(upy)
    assert events(upy) == [["message", "t", b"x" * 200, False]]
    assert wire.exactly(4) == puback(7)


def test_several_packets_in_one_segment(upy, wire):
    data = publish("a", b"1") + packet(PINGRESP) + publish("b", b"2", 5, 1) + puback(9)
    wire.send(data + packet(SUBACK, b"\x80\x01\x01") + publish("c"))
    assert events(upy, 5) == [
        ["message", "a", b"1", False],
        ["message", "b", b"2", True],
        ["puback", 9],
        ["suback", 0x8001, 1],
        ["message", "c", b"", False],
    ]


def test_a_message_is_acknowledged_after_its_handler(upy, wire):
    wire.send(publish("t", b"x", 0x4321))
    assert events(upy)
    assert wire.exactly(4) == packet(PUBACK, b"\x43\x21")


def test_a_message_whose_handler_fails_is_not_acknowledged(upy, serve):
    upy.call("mqtt_calls", "start", True)
    peer = serve(accepts, keep=True)
    upy.call("mqtt_calls", "connect", peer.port)
    connection = peer.connection()
    before = len(connection.received)
    connection.send(publish("t", b"x", 5))
    with pytest.raises(Exception, match="KeyError"):
        pump(upy, 500)
    assert connection.silent()
    assert len(connection.received) == before


# A7
@pytest.mark.parametrize("size", [1, 600, LIMIT - 20, 6000])
@pytest.mark.parametrize("flags", [0, 2, 4])
def test_a_client_that_its_message_handler_closes_handles_no_more(upy, serve, size, flags):
    upy.call("mqtt_calls", "start", False, "message")
    peer = serve(accepts, keep=True)
    upy.call("mqtt_calls", "connect", peer.port)
    one = packet(0x30 | flags, string("t") + (b"\0\5" if flags else b"") + b"x" * size)
    peer.connection().send(publish("t", b"first") + one * 2)
    found = pump(upy, 300)
    assert (found.get("text"), len(found["events"])) == (None, 1)


# A7
@pytest.mark.parametrize(
    ("event", "data"),
    [
        ("suback", packet(SUBACK, b"\x80\1\1")),
        ("puback", puback(5)),
        ("message", publish("t", b"x" * 5000, 3)),
        ("message", publish("t", b"x" * 600, 3)),
        ("message", packet(0x34, string("t") + b"\0\7x")),
    ],
)
def test_a_client_may_be_closed_at_each_of_its_calls(upy, serve, event, data):
    upy.call("mqtt_calls", "start", False, event)
    peer = serve(accepts, keep=True)
    upy.call("mqtt_calls", "connect", peer.port)
    peer.connection().send(data * 3)
    found = pump(upy, 300)
    assert (found.get("text"), len(found["events"])) == (None, 1)


@pytest.mark.parametrize("size", [10, 600, 6000])
def test_a_handler_that_fails_once_does_not_cost_the_connection(upy, serve, size):
    upy.call("mqtt_calls", "start", True)
    peer = serve(accepts, keep=True)
    upy.call("mqtt_calls", "connect", peer.port)
    peer.connection().send(publish("t", b"x" * size) + publish("after", b"2"))
    with pytest.raises(Exception, match="KeyError"):
        pump(upy, 500)
    upy.call("mqtt_calls", "heal")
    assert events(upy, 2)[1] == ["message", "after", b"2", False]


# A11
@pytest.mark.parametrize("size", [2, 100, 700, 4000, 100_000])
def test_a_flood_of_messages_does_not_hold_up_the_loop(upy, serve, size):
    def script(connection):
        accepts(connection)
        connection.sock.setblocking(True)
        while True:
            connection.send(publish("t", b"x" * size) * (1 + 10000 // size))

    upy.call("mqtt_calls", "connect", serve(script).port)
    for _ in range(5):
        found = upy.call("mqtt_calls", "pump_once")
        assert found["value"][0] <= 32
        assert found["ms"] < 200


# A11
def test_what_a_pump_left_is_handled_without_a_byte_more(upy, wire):
    wire.send(publish("t") * 100)
    assert len(events(upy, 100)) == 100


# A37
def test_a_message_of_qos_2_is_delivered_once(upy, wire):
    message = string("76/agent/SN1/Policy/x") + b"\x12\x34"
    wire.send(packet(0x35, message + b"p"))
    assert events(upy) == [["message", "76/agent/SN1/Policy/x", b"p", True]]
    assert wire.exactly(4) == packet(PUBREC, b"\x12\x34")
    wire.send(packet(0x3D, message + b"p"))  # DUP: the broker did not get the PUBREC
    pump(upy, 100)
    assert wire.exactly(4) == packet(PUBREC, b"\x12\x34")
    for _ in range(2):
        wire.send(packet(PUBREL, b"\x12\x34"))
        pump(upy, 100)
        assert wire.exactly(4) == packet(PUBCOMP, b"\x12\x34")
    wire.send(packet(0x34, message + b"q"))  # the id is free again
    assert [event[2] for event in events(upy, 2)] == [b"p", b"q"]


# A37
def test_any_number_of_messages_of_qos_2_may_come_before_they_are_released(upy, wire):
    pids = [pid.to_bytes(2, "big") for pid in range(1, 201)]
    for pid in pids:
        wire.send(packet(0x34, string("t") + pid + b"x" * 50))
    assert len(events(upy, 200)) == 200
    wire.send(b"".join(packet(PUBREL, pid) for pid in pids))
    pump(upy, 500, 201)
    answers = [packet(PUBREC, pid) for pid in pids] + [packet(PUBCOMP, pid) for pid in pids]
    assert wire.exactly(1600) == b"".join(answers)


# A37
@pytest.mark.parametrize("size", [600, 6000])
def test_a_large_message_of_qos_2_is_answered_too(upy, wire, size):
    wire.send(packet(0x34, string("t") + b"\0\x09" + b"x" * size) + publish("after"))
    assert [event[1] for event in events(upy, 2)] == ["t", "after"]
    assert wire.exactly(4) == packet(PUBREC, b"\0\x09")


@pytest.mark.parametrize("pid", [0, 3])
@pytest.mark.parametrize("size", [511, 512, 513, 1024, 4096, LIMIT])
def test_messages_of_any_size_up_to_the_limit(upy, wire, size, pid):
    """size: of the whole packet, with its header."""
    payload = bytes(range(256)) * 18
    data = b""
    for length in range(size - 10, size):
        data = publish("t", payload[:length], pid)
        if len(data) == size:
            break
    assert len(data) == size
    wire.send(publish("before") + data + publish("after"))
    assert events(upy, 3) == [
        ["message", "before", b"", False],
        ["message", "t", payload[:length], False],
        ["message", "after", b"", False],
    ]


@pytest.mark.parametrize("cut", [1, 2, 3, 100, 511, 512, 513, 4000])
def test_a_large_message_in_two_pieces(upy, wire, cut):
    data = publish("76/agent/SN1/Policy/x", b"p" * 4200, 9) + publish("after")
    wire.send(data[:cut])
    pump(upy)
    wire.send(data[cut:])
    assert [event[1] for event in events(upy, 2)] == ["76/agent/SN1/Policy/x", "after"]


@pytest.mark.parametrize("size", [LIMIT - 5, LIMIT, 5000, 100_000])
@pytest.mark.parametrize("pid", [0, 3])
def test_of_a_message_over_the_limit_only_the_topic_is_told(upy, wire, size, pid):
    data = publish("76/agent/SN1/Policy/x", b"p" * size, pid, 1)
    wire.send(publish("a", b"1") + data + publish("after", b"2", 4))
    assert events(upy, 3) == [
        ["message", "a", b"1", False],
        ["message", "76/agent/SN1/Policy/x", None, True],
        ["message", "after", b"2", False],
    ]
    if pid:
        assert wire.exactly(4) == puback(pid)
    assert wire.exactly(4) == puback(4)


def test_an_over_large_message_in_small_pieces(upy, wire):
    data = publish("t", b"p" * 6000, 3) + publish("after", b"2")
    for i in range(0, len(data), 97):
        wire.send(data[i : i + 97])
        pump(upy)
    assert events(upy, 2) == [["message", "t", None, False], ["message", "after", b"2", False]]


def test_a_long_topic(upy, wire):
    wire.send(publish("t" * 600, b"x", 3) + publish("after"))
    assert [event[1] for event in events(upy, 2)] == ["t" * 600, "after"]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (packet(0x36, string("t") + b"\0\1x"), "unexpected PUBLISH of QoS 3"),
        (b"\x30\xff\xff\xff\xff\x01", "malformed packet length"),
        (b"\x30\x80\x80\x80\x80\x80", "malformed packet length"),
        (packet(0x30, b"\0\x09short"), "malformed PUBLISH"),
        (packet(0x32, string("t") + b"\0"), "malformed PUBLISH"),
        (packet(0x34, string("t") + b"\0"), "malformed PUBLISH"),
        (packet(0x62, b"\0"), "unexpected packet of type 6"),
        (packet(0x70, b"\0\1"), "unexpected packet of type 7"),
        (packet(0x30, b"\0"), "malformed PUBLISH"),
        (packet(0x30, b"\0\x02\xff\xfe"), "malformed topic"),
        (packet(0x00, b""), "unexpected packet of type 0"),
        (packet(0x20, b"\0\0"), "unexpected packet of type 2"),
        (packet(0x50, b"\0\1"), "unexpected packet of type 5"),
        (packet(0x82, b"\0\1"), "unexpected packet of type 8"),
        (packet(0xF0, b""), "unexpected packet of type 15"),
        (packet(0x40, b"\0"), "unexpected packet of type 4"),
        (packet(0x90, b"\0\1"), "malformed SUBACK"),
        (packet(0x90, b"\0\1\1\1"), "malformed SUBACK"),
        (packet(0xD0, b"x" * 600), "oversized packet of type 13"),
    ],
)
def test_what_breaks_the_protocol_is_named(upy, wire, data, text):
    wire.send(data)
    broken(upy, text)


@pytest.mark.parametrize("data", [b"", b"\x30", b"\x30\x10", publish("topic", b"payload")[:-1]])
def test_a_truncated_packet_is_the_end_of_the_connection(upy, wire, data):
    wire.send(data)
    wire.close()
    assert broken(upy, "the broker closed the connection")["events"] == []


def test_a_reset_connection_is_a_link_error(upy, wire):
    pump(upy)
    wire.sock.setsockopt(1, 13, b"\x01\x00\x00\x00\x00\x00\x00\x00")  # SO_LINGER: RST
    wire.sock.close()
    found = pump(upy, 1000, 9)
    assert "broke (ECONNRESET)" in found["text"]


def test_a_message_of_one_letter_and_no_payload(upy, wire):
    wire.send(publish("t"))
    assert events(upy) == [["message", "t", b"", False]]


def test_stray_acknowledgements_do_no_harm(upy, wire):
    wire.send(puback(77) + packet(UNSUBACK, b"\0\1") + packet(SUBACK, b"\0\2\x80"))
    assert events(upy, 2) == [["puback", 77], ["suback", 2, 0x80]]


def test_a_message_leaves_as_one_segment(upy, wire):
    del wire.pieces[:]
    upy.call("mqtt_calls", "post", "76/agent/SN1/Status/Ping", b"!", False, 5)
    assert wire.receive() == publish("76/agent/SN1/Status/Ping", b"!", 5)


@pytest.mark.parametrize("size", [0, 100, 127, 128, 129, 400, 512, 600, 16383, 16384, 20000])
def test_messages_out_of_every_size(upy, wire, size):
    wire._unread = b""
    payload = b"z" * size
    upy.call("mqtt_calls", "post", "t", payload, True, 0x7FFF, True)
    expected = publish("t", payload, 0x7FFF, 9)
    assert wire.exactly(len(expected)) == expected


def test_a_message_in_pieces(upy, wire):
    upy.call("mqtt_calls", "post_pieces", "t", 60, 7)
    payload = b"".join(b"%02d" % i + b"x" * 98 for i in range(60))
    expected = publish("t", payload, 7)
    assert wire.exactly(len(expected)) == expected


@pytest.mark.parametrize("topic", ["t", "76/agent/SN1/Command/#", "x" * 122, "x" * 123, "x" * 200])
def test_subscriptions_are_byte_exact(upy, wire, topic):
    pid = upy.call("mqtt_calls", "ask", topic)["value"]
    expected = packet(0x82, pid.to_bytes(2, "big") + string(topic) + b"\1")
    assert wire.exactly(len(expected)) == expected
    pid = upy.call("mqtt_calls", "unask", topic)["value"]
    expected = packet(0xA2, pid.to_bytes(2, "big") + string(topic))
    assert wire.exactly(len(expected)) == expected


def test_packet_ids_of_subscriptions_wrap_in_the_upper_half(upy, wire):
    upy.call("mqtt_calls", "set_pid", 32766)
    assert upy.call("mqtt_calls", "pids", 3) == [0xFFFF, 0x8001, 0x8002]


def test_ping_and_goodbye(upy, wire):
    upy.call("mqtt_calls", "ping")
    upy.call("mqtt_calls", "close", True)
    assert wire.exactly(4) == b"\xc0\0\xe0\0"
    assert wire.receive() == b""


def test_a_close_without_goodbye_says_nothing(upy, wire):
    before = len(wire.received)
    upy.call("mqtt_calls", "close", False)
    assert wire.receive() == b""
    assert len(wire.received) == before


def test_the_hook_does_not_run_inside_a_pump(upy, serve):
    # It pumps, too: a half packet that it has read would be overwritten.
    stream = b"".join(publish("t", b"%03d" % i) for i in range(40))

    def script(connection):
        accepts(connection)
        for i in range(0, len(stream), 5):
            read(connection)
            connection.send(stream[i : i + 5])

    upy.call("mqtt_calls", "connect", serve(script).port)
    found = upy.call("mqtt_calls", "nested", 20)
    assert "text" not in found, found["text"]
    assert [event[2] for event in found["events"]][:20] == [b"%03d" % i for i in range(20)]
