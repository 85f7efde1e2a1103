"""Commands, as an administrator gives them and the backend sees them answered."""

import re
import time
from xml.etree import ElementTree

import pytest

from flyve_mdm import VERSION


@pytest.fixture(params=["A", "B", "C"])
def online(request, make_device):
    return make_device(generation=request.param).go_online(latitude=48.1, longitude=-1.6)


def test_ping_is_answered(online):
    assert online.backend.admin.ping(17, wait=2)


def test_geolocate_answers_the_configured_position(online):
    position = online.backend.admin.geolocate(17, wait=2)
    assert float(position["latitude"]) == 48.1 and float(position["longitude"]) == -1.6


def test_inventory_is_imported(online):
    assert online.backend.admin.inventory(17, wait=2)


def test_a_fleets_topic_is_subscribed_and_kept_over_a_restart(online):
    online.backend.admin.fleet(17, "workshop")
    found = online.run.wait_log(r"commands: fleet (\S+)")
    assert found[1] != "None"
    online.run.kill()
    since_requests = len(online.backend.requests)
    online.start()
    online.online()
    assert online.backend.admin.ping(17, wait=2)
    assert len(online.backend.requests) == since_requests


def test_without_a_position_the_gps_is_off(device):
    device.start()
    device.online()
    assert device.backend.admin.geolocate(17, wait=2)["latitude"] == "na"


@pytest.fixture
def c(make_device):
    return make_device().go_online()


def test_a_keyword_may_be_in_any_case(c):
    c.send("Ping", {"query": "PING"})
    assert c.backend.wait_for(lambda: c.agent.pongs == 1, 5)


def test_what_is_no_json_object_is_no_command(c):
    names = ("Ping", "Geolocate", "Inventory", "Lock", "Wipe", "Unenroll", "Subscribe")
    malformed = (b"{", b"[]", b'"now"', b"\xff\xfe", b"{'lock':'now'}")
    for name in names:
        for payload in (b"", *malformed):
            c.send(name, payload)
    c.settled()
    assert c.agent.pongs == 0 and len(c.agent.positions) == 1
    assert c.said("is malformed: ignored") == len(names) * len(malformed)


def test_another_keyword_is_no_command(c):
    for name in ("wipe", "lock", "unenroll", "query"):
        topic = {"query": "Ping"}.get(name, name.capitalize())
        for keyword in ("later", None, 1, ["now"], ""):
            c.send(topic, {name: keyword})
    c.settled()
    assert c.agent.pongs == 0 and not c.said("restarting") and not c.said("unenrolled")


def test_a_command_is_told_by_its_topics_whole_segments(make_device):
    c = make_device().go_online(serial="ping-lock-wipe-unenroll")
    for name in ("Ping/now", "PingPong", "Lock/Ping", "Unenroll/now/now"):
        c.send(name, {"query": "Ping", "lock": "now", "unenroll": "now"})
    c.settled()
    assert c.agent.pongs == 0 and not c.said("unenrolled")
    assert c.backend.admin.ping(17, wait=5)


def test_the_time_of_a_position_is_an_integer_and_utc(c):
    moment = c.backend.admin.geolocate(17, wait=5)["datetime"]
    assert isinstance(moment, int) and abs(moment - time.time()) < 10


# A38
@pytest.mark.virtual
def test_a_position_waits_for_the_clock_and_nothing_else_does(make_device):
    c = make_device(ntp_silent=True).go_online(latitude=48.1, longitude=-1.6)
    for _ in range(2):
        c.send("Geolocate", {"query": "Geolocate"})
    assert c.backend.admin.ping(17, wait=5)
    assert c.agent.positions == []
    c.backend.options.ntp_silent = False
    c.later("clock: set to", 30)
    assert c.backend.wait_for(lambda: c.agent.positions, 5)
    (position,) = c.agent.positions
    assert abs(position["datetime"] - time.time()) < 10
    assert c.said("geolocate waits until the clock is set") == 1


AUTHOR = b"""
from flyve import registry
from flyve.agent import main

def greet(agent, message, retained):
    yield
    print("hello", message["name"])

registry.commands["greet"] = greet
registry.position = lambda: (12.5, -3.25)
main()
"""


def test_a_firmware_author_adds_a_command_and_a_position(device):
    device.board.write("/main.py", AUTHOR)
    device.start()
    device.online()
    device.send("Greet", {"name": "world"})
    device.run.wait_log("^hello world")
    position = device.backend.admin.geolocate(17, wait=5)
    assert (position["latitude"], position["longitude"]) == (12.5, -3.25)


def test_a_command_that_raises_is_logged_and_the_next_one_runs(device):
    device.board.write("/main.py", AUTHOR)
    device.start()
    device.online()
    device.send("Greet", {})
    device.run.wait_log("WARN commands: KeyError")
    device.send("Greet", {"name": "again"})
    device.run.wait_log("^hello again")


def test_the_inventory_tells_the_board_its_applications_and_its_health(c):
    c.ends(
        c.backend.tasks.deploy_app(17, b"def start(agent):\n    yield\n", "org.example"), "done"
    )
    assert c.backend.admin.inventory(17, wait=5)
    content = ElementTree.fromstring(c.backend.state.computers[c.agent.computer_id].inventory)
    content = content.find("CONTENT")
    mac = content.findtext("NETWORKS/MACADDR")
    assert mac.replace(":", "").lower() == c.board.mac
    assert content.findtext("NETWORKS/IPADDRESS")
    software = {s.findtext("NAME"): s.findtext("VERSION") for s in content.iterfind("SOFTWARES")}
    assert set(software) == {"flyve-mdm-esp32", "org.example"}
    assert software["flyve-mdm-esp32"] == VERSION
    health = content.findtext("HARDWARE/DESCRIPTION")
    for fact in (r"^up \d+ s, reset power-on, heap used", "crashes 0", "reconnects 0"):
        assert re.search(fact, health), health


# Without what MicroPython could still take from ESP-IDF, which TLS and Wi-Fi need.
def test_the_inventory_tells_the_heap_as_it_stands_and_that_of_esp_idf(c):
    assert c.backend.admin.inventory(17, wait=5)
    content = ElementTree.fromstring(c.backend.state.computers[c.agent.computer_id].inventory)
    health = content.findtext("CONTENT/HARDWARE/DESCRIPTION")
    told = r"heap used (\d+) of (\d+), at most (\d+), ESP-IDF's free (\d+), largest block (\d+),"
    used, size, most, free, largest = map(int, re.search(told, health).groups())
    assert 20_000 < used <= most < size
    assert 0 < largest <= free


def test_a_subscription_to_what_is_no_fleet_is_ignored(c):
    for topic in ("#", "1/fleet/+", 5, ["1/fleet/1"]):
        c.send("Subscribe", {"subscribe": [{"topic": topic}]})
    for subscribe in ([], {}, None, "1/fleet/1", [None], [{}]):
        c.send("Subscribe", {"subscribe": subscribe})
    c.settled()
    assert c.said("subscribe to a strange topic: ignored") == 4
    assert c.said("subscribe is malformed: ignored") == 6
