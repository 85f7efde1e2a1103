"""The broker and the listener: who may do what, and what the backend makes of it."""

import threading

import pytest

from flyve_mdm.backend.reports import online_state

# Value, and what it means: A and B on PHP 8, the same on PHP 7, C.
TRUTH = [
    ("true", True, True, True),
    ("false", False, False, True),
    (True, False, False, True),
    (False, None, None, False),
    (0, None, False, False),
    ("0", None, None, False),
    ("", None, None, False),
    (None, None, None, None),
]


@pytest.mark.parametrize(("value", "php8", "php7", "c"), TRUTH)
def test_truth_table(value, php8, php7, c):
    for generation in "AB":
        assert online_state(value, generation, 8) is php8
        assert online_state(value, generation, 7) is php7
    assert online_state(value, "C") is c


@pytest.fixture(params=[pytest.param("mosquitto", marks=pytest.mark.mosquitto), "amqtt"])
def site(request, start):
    return start(broker_kind=request.param)


def test_rights(site, device, link):
    ann, bob = device(site), device(site, email="bob@example.org", serial="ESP32-0002")
    ann.enroll()
    bob.enroll()
    a, b = link(ann), link(bob)
    assert a.accepted and b.accepted
    for pattern in (f"{b.topic}/Command/#", f"{b.topic}/#", "#"):
        a.subscribe(pattern)  # what counts is what is delivered
    assert a.subscribe(f"{a.topic}/Command/#")
    assert b.subscribe(f"{b.topic}/Command/#")
    assert b.get().topic == f"{b.topic}/Command/Subscribe"  # retained
    site.admin.lock(bob.serial)
    assert b.get().payload == b'{"lock":"now"}'
    # A device may not write what is not its own, nor its own commands.
    a.client.publish(f"{b.topic}/Status/Online", '{"online":true}')
    a.publish("Command/Wipe", '{"wipe":"now"}')
    a.publish("Status/Ping", "!")
    assert site.wait_event("pong")
    assert not bob.agent.online
    site.admin.ping(ann.serial, wait=0)
    topics = set()
    while f"{a.topic}/Command/Ping" not in topics:
        topics.add(a.get().topic)
    assert topics == {f"{a.topic}/Command/Subscribe", f"{a.topic}/Command/Ping"}


def test_wrong_password(site, device, link):
    one = device(site)
    one.enroll()
    one.settings["mqttpasswd"] += "x"
    assert not link(one).accepted


def test_will_and_presence(site, device, link):
    one = device(site)
    one.enroll()
    connection = link(one, will='{"online":false}')
    connection.publish("Status/Online", {"online": "true"})
    assert site.wait_event("online")
    connection.close(clean=False)
    assert site.wait_event("offline")
    assert one.agent.last_contact


# B1
def test_a_removed_account_loses_its_connection(site, device, link):
    one = device(site)
    one.enroll()
    connection, ended = link(one), threading.Event()
    connection.client.on_disconnect = lambda *_: ended.set()
    site.broker.remove_user(one.serial)
    assert ended.wait(5)


def test_exact_topics(backend, device, link):
    one = device(backend)
    one.enroll()
    connection = link(one)
    slash = link(one)
    slash.topic = "/" + slash.topic
    slash.publish("Status/Ping", "!")
    connection.publish("/Status/Ping", "!")
    connection.publish("Status/Ping", "!\n")
    connection.publish("Status/Geolocation", {"latitude": 1, "longitude": 2, "datetime": 1.5})
    connection.publish("Status/Geolocation", {"datetime": 5, "gps": "off"})
    assert backend.wait_event("position")
    assert one.agent.pongs == 0
    assert one.agent.positions == [{"datetime": 5, "latitude": "na", "longitude": "na"}]


def test_broker_restart_hang_and_listener(site, device, link):
    one = device(site)
    one.enroll()
    site.restart_broker()
    connection = link(one)
    assert connection.accepted
    connection.publish("Status/Ping", "!")
    assert site.wait_for(lambda: one.agent.pongs == 1)
    site.broker.hang()
    connection.client.publish(f"{connection.topic}/Status/Ping", "!")
    assert not site.wait_for(lambda: one.agent.pongs == 2, 0.2)
    site.broker.resume()
    assert site.wait_for(lambda: one.agent.pongs == 2)


@pytest.mark.mosquitto
def test_many_reloads_are_one(backend):
    broker = backend.broker
    wanted, reloads = broker._wanted, broker._reloads
    threads = [
        threading.Thread(target=broker.set_user, args=(f"user{i}", "p", [])) for i in range(50)
    ]
    with broker._writing:  # as while another reload goes on
        for thread in threads:
            thread.start()
        assert backend.wait_for(lambda: broker._wanted == wanted + 50)
    for thread in threads:
        thread.join()
    assert broker._reloads == reloads + 1
