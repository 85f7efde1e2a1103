"""Answers over REST, which generation C takes beside those over MQTT."""

import pytest


@pytest.fixture(params=["rest", "both"])
def device(request, make_device):
    device = make_device().go_online(report=request.param)
    device.both = request.param == "both"
    return device


def puts(device, endpoint):
    return [r for r in device.gets(endpoint) if r.method in ("PUT", "POST")]


def test_a_ping_is_answered(device):
    device.send("Ping", {"query": "Ping"})
    wanted = {"rest", "mqtt"} if device.both else {"rest"}

    def ways():
        return {event.detail["by"] for event in device.backend.events.of("pong")}

    assert device.backend.wait_for(lambda: ways() == wanted, 5)
    device.settled()
    assert ways() == wanted


# A40
def test_presence_is_told_by_a_number(device):
    assert device.backend.wait_for(lambda: b'"is_online": 1}' in b"".join(bodies(device)), 5)
    device.settled()
    assert not any("Invalid status value" in line for line in device.run.log)


def bodies(device):
    return [r.body for r in device.gets("PluginFlyvemdmAgent/17") if r.method == "PUT"]


def test_an_inventory_is_imported(device):
    assert device.backend.admin.inventory(17, wait=5)
    assert device.backend.wait_for(lambda: b"_inventory" in b"".join(bodies(device)), 5)


def test_a_position_is_stored(device):
    assert device.backend.admin.geolocate(17, wait=5)
    assert device.backend.wait_for(lambda: device.gets("PluginFlyvemdmGeolocation"), 5)


def test_a_tasks_statuses_are_stored(device):
    device.ends(device.backend.tasks.policy(17, "periodicGeolocation", "3600"), "done")
    assert device.backend.wait_for(lambda: len(puts(device, "PluginFlyvemdmTaskstatus/")) == 2, 5)


def test_an_older_backend_gets_them_over_mqtt(make_device):
    device = make_device(generation="B").go_online(report="rest")
    assert device.backend.admin.ping(17, wait=5)
    assert device.backend.events.of("pong")[0].detail["by"] == "mqtt"
