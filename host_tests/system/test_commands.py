"""Commands, as an administrator gives them and the backend sees them answered."""

import pytest


@pytest.fixture(params=["A", "B", "C"])
def online(request, make_device):
    device = make_device(generation=request.param)
    device.provision(latitude=48.1, longitude=-1.6)
    device.start()
    device.online()
    return device


def test_ping_is_answered(online):
    assert online.backend.ping(17, wait=2)


def test_geolocate_answers_the_configured_position(online):
    position = online.backend.geolocate(17, wait=2)
    assert float(position["latitude"]) == 48.1 and float(position["longitude"]) == -1.6


def test_inventory_is_imported(online):
    assert online.backend.inventory(17, wait=2)


def test_a_fleets_topic_is_subscribed_and_kept_over_a_restart(online):
    online.backend.fleet(17, "workshop")
    found = online.run.wait_log(r"commands: fleet (\S+)")
    assert found[1] != "None"
    online.run.kill()
    since_requests = len(online.backend.requests)
    online.start()
    online.online()
    assert online.backend.ping(17, wait=2)
    assert len(online.backend.requests) == since_requests


def test_without_a_position_the_gps_is_off(device):
    device.start()
    device.online()
    assert device.backend.geolocate(17, wait=2)["latitude"] == "na"
