"""flyve.link against a broker that answers as told: presence, keepalive, subscriptions, DUP."""

import itertools
import os
import threading
from pathlib import Path

import pytest

from host_tests.kit.peers.broker import (
    CONNECT,
    DISCONNECT,
    PINGREQ,
    PUBLISH,
    SUBSCRIBE,
    Broker,
    publish,
)

BOARD = True

TOPIC = "76/agent/SN1"
STATUS = TOPIC + "/Status/Online"
TRUE, FALSE = b'{"online": true}', b'{"online": false}'
S_TRUE, S_FALSE = b'{"online": "true"}', b'{"online": "false"}'


@pytest.fixture
def link(upy, serve):
    """Starts a broker and a Link to it; returns both."""

    def start(generation="C", form="auto", keepalive=60, fleet=None, **options):
        broker = Broker(**options)
        peer = serve(broker)
        upy.call("link_calls", "start", peer.port, generation, form, keepalive, fleet)
        return broker, peer

    return start


def call(upy, function, *args):
    return upy.call("link_calls", function, *args)


def births(messages):
    return [message for message in messages if message.topic == STATUS]


@pytest.mark.parametrize(
    ("generation", "form", "expected"),
    [
        ("A", "auto", [S_TRUE, S_FALSE]),
        ("B", "auto", [S_TRUE, S_FALSE]),
        ("C", "auto", [S_TRUE, FALSE]),
        (None, "auto", [S_TRUE, S_FALSE]),
        ("A", "bool", [TRUE, FALSE]),
        ("C", "bool", [TRUE, FALSE]),
        ("A", "string", [S_TRUE, S_FALSE]),
        ("C", "string", [S_TRUE, S_FALSE]),
    ],
)
def test_presence_by_generation_and_setting(upy, generation, form, expected):
    assert call(upy, "presence", generation, form) == expected


def test_will_and_birth_go_retained_to_the_same_topic(upy, link):
    broker, _ = link(keepalive=30)
    assert call(upy, "online")
    body = broker.bodies(CONNECT)[0]
    assert body[:10] == b"\0\4MQTT\4\xee\0\x1e"  # user, password, will: retained, QoS 1; 30 s
    fields, rest = [], body[10:]
    while rest:
        size = int.from_bytes(rest[:2], "big")
        fields.append(rest[2 : 2 + size])
        rest = rest[2 + size :]
    assert fields == [b"SN1", STATUS.encode(), FALSE, b"SN1", b"secret"]
    (birth,) = births(broker.messages)
    assert (birth.payload, birth.retain, birth.qos, birth.dup) == (S_TRUE, True, 1, False)


def test_online_is_told_once_the_broker_has_acknowledged(upy, link):
    broker, _ = link(acknowledge=False)
    call(upy, "connect")
    assert not call(upy, "run", 300)["up"]
    assert births(broker.messages)
    broker.acknowledge = True


def test_the_birth_comes_after_the_subscriptions(upy, link):
    broker, _ = link()
    call(upy, "online")
    kinds = [op & 0xF0 for op, _, _ in broker.packets]
    assert kinds == [CONNECT, *[SUBSCRIBE & 0xF0] * 4, PUBLISH]


def test_the_birth_is_repeated_about_a_second_later(upy, link):
    broker, _ = link()
    call(upy, "online")
    call(upy, "pass_on", 500)
    call(upy, "run", 50)
    (first,) = births(broker.messages)
    call(upy, "pass_on", 500)
    call(upy, "run", 50)
    assert broker.wait_for(lambda: len(births(broker.messages)) == 2)
    second = births(broker.messages)[1]
    assert (second.payload, second.retain, second.dup) == (S_TRUE, True, False)
    assert second.pid != first.pid


@pytest.mark.parametrize(
    ("generation", "fleet", "expected"),
    [
        ("A", None, ["/Command/#", "/Subscription", "/FlyvemdmManifest/Status/Version"]),
        ("B", None, ["/Command/#", "/Policy/#", "FlyvemdmManifest/Status/Version"]),
        ("C", "76/fleet/1", ["/Command/#", "/Policy/#", "FlyvemdmManifest/Status/Version",
                             "76/fleet/1/#"]),
    ],
)  # fmt: skip
def test_subscriptions(upy, link, generation, fleet, expected):
    broker, _ = link(generation, fleet=fleet)
    call(upy, "online")
    filters = [body[4:-1].decode() for body in broker.bodies(SUBSCRIBE)]
    expected = [TOPIC + f if f[:4] in ("/Com", "/Pol", "/Sub") else f for f in expected]
    assert filters == [*expected, STATUS]
    assert [body[-1] for body in broker.bodies(SUBSCRIBE)] == [1] * len(expected) + [0]


def test_a_refused_subscription_is_told_and_tried_again(upy, link):
    refused = "FlyvemdmManifest/Status/Version"
    broker, _ = link(granted={refused: 0x80})
    assert call(upy, "online")
    line = f"ERROR link: subscription to {refused} refused: check the broker's ACL"
    assert line in call(upy, "state")["lines"]
    broker.granted.clear()
    call(upy, "later")
    call(upy, "run", 100)
    assert [body[4:-1].decode() for body in broker.bodies(SUBSCRIBE)].count(refused) == 2
    call(upy, "later")
    call(upy, "run", 100)
    assert [body[4:-1].decode() for body in broker.bodies(SUBSCRIBE)].count(refused) == 2


def test_a_connection_that_breaks_while_a_subscription_is_tried_again_is_lost(upy, link):
    link(granted={"FlyvemdmManifest/Status/Version": 0x80})
    assert call(upy, "online")
    call(upy, "later")
    call(upy, "breaking")
    found = call(upy, "run", 1000, "down")
    assert found["down"] and found["reason"] == "gone"


def test_another_refusal_makes_the_link_no_younger(upy, link):
    link(granted={"FlyvemdmManifest/Status/Version": 0x80})
    call(upy, "online")
    call(upy, "later")
    assert call(upy, "run", 100)["age"] > 300_000


def test_messages_reach_the_handler(upy, link):
    _, peer = link()
    call(upy, "online")
    peer.connection().send(publish(TOPIC + "/Command/Ping", b"{}", 9, 1))
    found = call(upy, "run", 100)["messages"]
    assert found == [[TOPIC + "/Command/Ping", b"{}", True]]


def test_what_was_not_acknowledged_goes_again_with_dup(upy, link):
    broker, _ = link()
    call(upy, "online")
    broker.acknowledge = False
    pids = call(upy, "publish", 3)
    call(upy, "run", 100)
    first = [m for m in broker.messages if m.pid in pids]
    assert [m.dup for m in first] == [False] * 3
    broker.acknowledge = True
    call(upy, "break_off")
    assert call(upy, "connect")
    call(upy, "run", 1000, "sent")
    again = [m for m in broker.sessions[1] if m.pid in pids]
    assert [(m.pid, m.payload, m.dup) for m in again] == [
        (pid, b"%d" % i, True) for i, pid in enumerate(pids)
    ]


def test_a_message_that_was_acknowledged_does_not_go_again(upy, link):
    broker, _ = link()
    call(upy, "online")
    pids = call(upy, "publish", 3)
    call(upy, "run", 1000, "sent")
    call(upy, "break_off")
    call(upy, "online")
    assert not [m for m in broker.sessions[1] if m.pid in pids and m.dup]


def test_pings_go_at_half_the_keepalive(upy, link):
    broker, _ = link(keepalive=60)
    assert call(upy, "settled")
    found = call(upy, "quiet", 200)
    times = [0, *found["pings"]]
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert found["up"] and len(gaps) == 6 == len(broker.times(PINGREQ))
    assert all(29_000 < gap < 33_000 for gap in gaps), gaps


def test_a_dead_peer_is_noticed_within_one_and_a_half_keepalives(upy, link):
    link(keepalive=60, pong=None)
    assert call(upy, "settled")
    found = call(upy, "quiet", 200, 0, 0)
    assert 60_000 < found["after"] < 90_000, found
    assert "WARN link: offline: the broker does not answer" in found["lines"]


def test_a_slow_pong_in_time_is_no_failure(upy, link):
    broker, _ = link(keepalive=60, pong=0.05)
    assert call(upy, "settled")
    found = call(upy, "quiet", 200, 25_000)
    assert found["up"] and len(found["pings"]) >= 3
    assert len(broker.times(CONNECT)) == 1


def test_goodbye_is_an_offline_message_and_then_disconnect(upy, link):
    broker, _ = link()
    call(upy, "online")
    call(upy, "close")
    assert broker.wait_for(lambda: broker.times(DISCONNECT))
    assert broker.packets[-1][0] == DISCONNECT
    offline = broker.messages[-1]
    assert (offline.topic, offline.payload) == (STATUS, FALSE)
    assert (offline.retain, offline.qos) == (True, 1)
    assert broker.packets[-2][0] & 0xF0 == PUBLISH
    assert call(upy, "state")["lines"][-1] == "INFO link: offline"


def test_goodbye_to_a_broker_that_does_not_answer_ends_at_its_deadline(upy, link):
    broker, _ = link()
    call(upy, "online")
    broker.acknowledge = False
    assert call(upy, "close", 300) < 3000
    assert call(upy, "state")["down"]


def test_nothing_says_online_after_the_goodbye(upy, link):
    broker, _ = link()
    call(upy, "online")
    broker.acknowledge = False
    call(upy, "later")  # the second birth is due
    call(upy, "close", 200)
    assert [message.payload for message in births(broker.messages)] == [S_TRUE, FALSE]


def test_a_goodbye_before_the_birth_says_no_online(upy, link):
    broker, _ = link()
    call(upy, "connect")
    call(upy, "close")
    assert broker.wait_for(lambda: broker.times(DISCONNECT))
    assert [message.payload for message in births(broker.messages)] == [FALSE]


def test_goodbye_with_a_full_outbox_still_says_offline(upy, link):
    broker, _ = link()
    call(upy, "online")
    call(upy, "publish", 40)
    call(upy, "close")
    assert broker.wait_for(lambda: broker.times(DISCONNECT))
    assert broker.messages[-1].payload == FALSE


def test_a_full_outbox_does_not_prevent_the_birth(upy, link):
    broker, _ = link()
    assert call(upy, "publish", 33)[-2:] == [32, 0]
    call(upy, "connect")
    assert broker.wait_for(lambda: len(broker.times(SUBSCRIBE)) == 4)
    threading.Event().wait(0.05)  # the answers are there before the outbox is emptied
    assert call(upy, "run", 1000, "up")["up"]
    assert len(births(broker.messages)) == 1
    assert len(broker.messages) == 33


def test_connections_that_end_early_do_not_fill_the_outbox(upy, link):
    broker, _ = link()
    broker.hang_up_on = PUBLISH
    assert max(call(upy, "lose_and_return", 5)) == 1


def test_a_broker_that_does_not_answer_subscriptions_is_left(upy, link):
    broker, _ = link()
    broker.suback = False
    call(upy, "connect")
    call(upy, "run", 50)
    call(upy, "later")
    found = call(upy, "run", 100, "down")
    assert found["reason"] == "the broker does not acknowledge subscriptions"


@pytest.mark.parametrize("code", [4, 5])
def test_a_refusal_has_its_reason_and_a_next_try(upy, link, code):
    link(code=code)
    assert not call(upy, "connect")
    found = call(upy, "state")
    assert found["down"]
    assert found["reason"].startswith("refused: ")
    assert 900 < found["due"] <= 3000


def test_after_a_loss_the_next_try_is_spread(upy, link):
    _, peer = link()
    call(upy, "online")
    call(upy, "later")
    call(upy, "run", 50)  # the second birth
    peer.connection().hang_up()
    found = call(upy, "run", 1000, "down")
    assert found["reason"] == "the broker closed the connection"
    assert found["due"] <= 1000


def test_a_broker_that_throws_us_out_at_once_is_not_hammered(upy, link):
    broker, _ = link()
    broker.hang_up_on = PUBLISH  # of the birth
    waits = []
    for _ in range(25):
        call(upy, "connect")
        waits.append(call(upy, "run", 1000, "down")["due"])
    assert min(waits) > 900
    assert max(waits) > 4000


def test_tries_that_fail_grow_apart(upy, closed_port):
    call(upy, "start", closed_port)
    waits = call(upy, "delays", 25)
    assert min(waits) > 900
    assert 4000 < max(waits) <= 900_000


def test_after_our_own_network_was_away_the_next_try_comes_within_two_seconds(upy, link):
    link(code=5)
    assert max(call(upy, "delays", 25)) > 4000
    assert max(call(upy, "delays", 25, "network")) <= 2000


def test_an_offline_that_is_not_ours_is_answered_with_a_birth(upy, link):
    broker, peer = link()
    call(upy, "online")
    call(upy, "later")
    call(upy, "run", 50)  # the second birth
    peer.connection().send(publish(STATUS, S_TRUE))  # the echo
    assert call(upy, "run", 100)["messages"] == []
    assert len(births(broker.messages)) == 2
    peer.connection().send(publish(STATUS, FALSE))
    assert call(upy, "run", 100)["messages"] == []
    third = births(broker.messages)[2:]
    assert [(birth.payload, birth.retain) for birth in third] == [(S_TRUE, True)]


def test_an_offline_from_before_the_birth_changes_nothing(upy, link):
    broker, peer = link()
    broker.acknowledge = False
    call(upy, "connect")
    peer.connection().send(publish(STATUS, FALSE, flags=1))
    call(upy, "run", 100)
    assert len(births(broker.messages)) == 1


def test_that_we_may_not_see_our_own_status_is_no_error(upy, link):
    broker, _ = link(granted={STATUS: 0x80})
    assert call(upy, "online")
    assert not [line for line in call(upy, "state")["lines"] if "refused" in line]
    call(upy, "later")
    call(upy, "run", 100)
    assert [body[4:-1].decode() for body in broker.bodies(SUBSCRIBE)].count(STATUS) == 1


def test_a_broker_that_does_not_acknowledge_messages_is_left(upy, link):
    broker, _ = link()
    call(upy, "online")
    broker.acknowledge = False
    call(upy, "publish", 1)
    assert call(upy, "run", 50)["up"]
    call(upy, "later")
    found = call(upy, "run", 100, "down")
    assert found["reason"] == "the broker does not acknowledge messages"


def test_durable_messages_survive_a_reboot_and_go_in_order_with_dup(upy, link):
    broker, _ = link()
    call(upy, "publish", 2, "t/durable", True)
    call(upy, "publish", 2, "t/ram")
    call(upy, "publish", 1, "t/last", True)
    call(upy, "reboot")
    assert not call(upy, "delivered", "t/durable")
    assert call(upy, "delivered", "t/ram")
    assert call(upy, "online")
    found = [(m.topic, m.payload, m.dup) for m in broker.messages if m.topic != STATUS]
    assert found == [("t/durable", b"0", True), ("t/durable", b"1", True), ("t/last", b"0", True)]
    assert call(upy, "delivered", "t/durable")


def test_what_was_acknowledged_does_not_go_again_after_a_reboot(upy, link):
    broker, _ = link()
    call(upy, "online")
    call(upy, "publish", 3, "t", True)
    call(upy, "run", 1000, "sent")
    call(upy, "run", 20)
    call(upy, "reboot")
    assert call(upy, "delivered", "t")
    call(upy, "online")
    assert len([m for m in broker.messages if m.topic == "t"]) == 3


def test_another_agents_messages_on_flash_are_not_sent(upy, link):
    broker, _ = link()
    call(upy, "publish", 1, "t", True)
    call(upy, "reboot", "18")
    assert call(upy, "state")["queued"] == 0


def test_old_messages_in_ram_are_dropped_and_durable_ones_kept(upy, link):
    broker, _ = link()
    call(upy, "publish", 2, "t/old")
    call(upy, "publish", 1, "t/durable", True)
    call(upy, "aged", 600_000)
    call(upy, "publish", 1, "t/new")
    call(upy, "say", "t/said", b"x")
    call(upy, "online")
    topics = [m.topic for m in broker.messages if m.topic != STATUS]
    assert topics == ["t/durable", "t/new"]


DAYS = [1, 7, 13, 30]


# A4
@pytest.mark.parametrize("days", DAYS)
def test_a_link_that_was_closed_for_days_is_due(upy, link, days):
    link()
    call(upy, "online")
    call(upy, "pass_days", days)
    call(upy, "close")
    assert call(upy, "state")["due"] <= 0
    assert call(upy, "online")


# A4
@pytest.mark.parametrize("days", DAYS)
def test_a_link_that_was_down_for_days_is_due(upy, closed_port, days):
    call(upy, "start", closed_port)
    call(upy, "connect")
    call(upy, "pass_days", days)
    assert call(upy, "state")["due"] <= 0


# A4
@pytest.mark.parametrize("days", DAYS)
def test_a_broker_that_was_silent_for_days_is_asked(upy, link, days):
    broker, _ = link()
    call(upy, "online")
    call(upy, "pass_days", days)
    assert call(upy, "run", 100)["up"]
    assert len(broker.times(PINGREQ)) == 1


# A4
@pytest.mark.parametrize("days", DAYS)
def test_a_broker_that_owes_answers_for_days_is_left(upy, link, days):
    broker, _ = link()
    call(upy, "online")
    broker.acknowledge = False
    call(upy, "publish", 1)
    call(upy, "run", 50)
    call(upy, "pass_days", days)
    assert call(upy, "run", 100, "down")["reason"].startswith("the broker does not")


# A4
@pytest.mark.parametrize("days", DAYS)
def test_a_subscription_that_was_refused_days_ago_is_tried_again(upy, link, days):
    broker, _ = link(granted={TOPIC + "/Command/#": 0x80})
    call(upy, "online")
    call(upy, "run", 1100)  # the second birth
    before = len(broker.times(SUBSCRIBE))
    call(upy, "pass_days", days)
    call(upy, "run", 100)
    assert len(broker.times(SUBSCRIBE)) == before + 1


# A4
@pytest.mark.parametrize("days", DAYS)
def test_messages_that_waited_in_ram_for_days_are_dropped(upy, link, days):
    broker, _ = link()
    call(upy, "publish", 2, "t/old")
    call(upy, "pass_days", days)
    call(upy, "online")
    assert [m.topic for m in broker.messages if m.topic != STATUS] == []
    assert call(upy, "state")["queued"] == 0


def test_messages_without_acknowledgement(upy, link):
    broker, _ = link()
    assert not call(upy, "say", "t", b"x")
    call(upy, "online")
    assert call(upy, "say", "t", b"x")
    assert broker.wait_for(lambda: broker.messages[-1].topic == "t")
    assert broker.messages[-1].qos == 0


def test_a_hook_that_pumps_and_a_loop_that_pumps_agree(upy, link):
    broker, peer = link()
    call(upy, "online")
    call(upy, "hook_pumps")
    for i in range(100):
        peer.connection().send(publish("t", b"%d" % i, i + 1))
    call(upy, "publish", 20)
    found = call(upy, "run", 400)
    assert found["up"]
    assert [message[1] for message in found["messages"]] == [b"%d" % i for i in range(100)]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_failing_connections_close_their_sockets(upy, link):
    def count():
        return len(os.listdir(f"/proc/{upy.pid}/fd"))

    broker, _ = link(code=5)
    call(upy, "connect")
    before = count()
    for _ in range(20):
        call(upy, "connect")
    broker.code = 0
    for kind in (CONNECT, SUBSCRIBE & 0xF0, PUBLISH):
        broker.hang_up_on = kind
        call(upy, "lose_and_return", 5)
    assert count() == before


def test_a_broker_that_is_not_there_is_named(upy, closed_port):
    call(upy, "start", closed_port)
    assert not call(upy, "connect")
    assert "cannot connect to" in call(upy, "state")["reason"]


# A7
def test_a_broker_that_closes_right_after_pings_is_only_an_offline(upy, link):
    _, peer = link()
    assert call(upy, "online")
    call(upy, "answering")
    ping = publish(TOPIC + "/Command/Ping", b'{"query":"Ping"}')
    peer.connection().send(ping * 8)
    peer.connection().hang_up()
    peer.joined()
    found = call(upy, "run", 1000, "down")
    assert found["down"], found
    assert found["due"] > 0
    assert call(upy, "online")


# A7
def test_a_broker_that_has_gone_may_be_asked_for_subscriptions(upy, link):
    _, peer = link()
    assert call(upy, "online")
    peer.connection().hang_up()
    peer.joined()
    assert call(upy, "moving")["down"]


# A11
def test_a_flood_does_not_keep_the_link_from_its_pings(upy, link):
    broker, peer = link(keepalive=60)
    assert call(upy, "settled")
    call(upy, "forgetting")
    over = threading.Event()

    def flood():
        while not over.is_set():
            try:
                peer.connection().send(publish(TOPIC + "/Command/Nothing", b"{}") * 50)
            except OSError:
                return

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        found = call(upy, "quiet", 100)
        assert found["up"] and len(found["pings"]) == 3, found
        assert broker.wait_for(lambda: len(broker.times(PINGREQ)) == 3)
    finally:
        over.set()
        peer.connection().hang_up()
        thread.join()
