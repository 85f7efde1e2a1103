# Joining networks with the driver of boards/virtual, by a clock that the tests move on.

import json
import time

import network

from flyve import log
from flyve.jobs import nvs, wifi_join
from flyve.wifi import Wifi

BOARD = True
STEP_MS = 20
PSK = "correct-horse"

lines = []
log.sink = lambda line: lines.append(line.split(" ", 2)[2])
log.level = 1
now = [time.ticks_ms()]
time.ticks_ms = lambda: now[0]
air = {}
network._inputs.get = lambda: air


def start(networks, aps, **more):
    """A board that has just been switched on, provisioned with the networks."""
    air.clear()
    air["aps"] = aps
    air.update(more)
    network._wlans = network._Station(network.STA_IF, bytes(6)), network._wlans[1]
    return again(networks)


def again(networks):
    """An agent that starts anew, while the driver goes on as it was: a soft reset."""
    nvs.erase("net")
    nvs.put("wifi", json.dumps(networks).encode())
    lines.clear()
    return Wifi(wifi_join.station())


def joins(wifi, seconds):
    """How many seconds it took to join, None: more than these."""
    for i in range(seconds * 1000 // STEP_MS):
        if wifi.step():
            return i * STEP_MS / 1000
        now[0] = time.ticks_add(now[0], STEP_MS)


def told(text):
    return sum(text in line for line in lines)


# A2
def test_an_access_point_that_was_away_for_one_scan_is_joined():
    wifi = start([["attic", PSK]], {})
    assert joins(wifi, 3) is None
    assert told("attic: not found") == 1
    air["aps"] = {"attic": PSK}
    assert joins(wifi, 6) is not None, lines


# A2
def test_the_second_network_is_joined_while_the_first_is_gone():
    wifi = start([["attic", PSK], ["cellar", PSK]], {"cellar": PSK})
    assert joins(wifi, 8) is not None, lines
    assert nvs.get_int("net") == 1


# A2
def test_the_third_network_is_joined_while_two_are_gone():
    wifi = start([["attic", PSK], ["cellar", PSK], ["yard", PSK]], {"yard": PSK})
    assert joins(wifi, 15) is not None, lines
    assert told("not found") == 2


# A2
def test_a_network_with_a_wrong_passphrase_does_not_hide_the_next_one():
    wifi = start([["attic", PSK], ["cellar", PSK]], {"attic": "another-one", "cellar": PSK})
    assert joins(wifi, 8) is not None, lines
    assert told("attic: wrong passphrase") == 1


# A2
def test_the_right_passphrase_works_after_the_wrong_one_without_a_power_cycle():
    for reason in (2, 15, 202, 204, 205):
        wifi = start([["attic", "wrong-one"]], {"attic": {"psk": PSK, "wrong": reason}})
        assert joins(wifi, 4) is None
        assert told("attic: wrong passphrase") == 1, (reason, lines)
        wifi = again([["attic", PSK]])
        assert joins(wifi, 8) is not None, (reason, lines)


# A2
def test_the_same_reason_is_told_again_when_it_goes_on():
    wifi = start([["attic", PSK]], {})
    assert joins(wifi, 12) is None
    assert told("attic: not found") == 2, lines


# A2
def test_a_reason_that_comes_late_is_not_the_next_try_s():
    # The driver tells a second late that it has left the network before.
    wifi = start([["attic", PSK]], {"attic": PSK}, late_ms=1200)
    assert joins(wifi, 4) is not None
    wifi._sta.disconnect()
    now[0] = time.ticks_add(now[0], 100)
    assert not wifi.step()
    assert joins(wifi, 6) is not None, lines
    assert told("attic: ") == 0, lines


# A2
def test_a_slow_address_is_waited_for_although_an_old_reason_stands():
    wifi = start([["attic", PSK]], {}, connect_ms=14000)
    assert joins(wifi, 3) is None
    air["aps"] = {"attic": PSK}
    assert joins(wifi, 20) is not None, lines
    assert told("attic: ") == 1, lines


# A2
def test_an_access_point_that_comes_and_goes_is_joined_each_time():
    wifi = start([["attic", PSK]], {"attic": PSK})
    for away in (1, 3, 10, 100):
        assert joins(wifi, 70) is not None, lines
        air["aps"] = {}
        assert joins(wifi, away) is None
        air["aps"] = {"attic": PSK}


# A2
def test_a_driver_that_is_busy_since_before_a_soft_reset_is_tried_again():
    wifi = start([["cellar", PSK]], {"attic": PSK}, scan_ms=30000)
    assert joins(wifi, 2) is None
    air["aps"]["cellar"] = PSK
    wifi._sta._key = "wrong"  # so that it goes on being busy
    wifi = again([["attic", PSK], ["cellar", PSK]])
    assert joins(wifi, 6) is not None, lines
    assert nvs.get_int("net") is None, "the first one comes first"


# A2
def test_a_network_that_the_driver_dislikes_does_not_hide_the_next_one():
    wifi = start([["attic", PSK], ["cellar", PSK]], {"cellar": PSK})
    connect = wifi._sta.connect

    def picky(ssid, psk):
        if ssid == "attic":
            raise OSError("Wifi Invalid Argument")
        connect(ssid, psk)

    wifi._sta.connect = picky
    assert joins(wifi, 8) is not None, lines
    assert told("attic: no connection") and not told("cellar: no connection")


def test_each_refusal_has_its_words():
    for reason, words in (
        (203, "it refuses this device"),
        (210, "it wants another security"),
        (211, "its security is weaker than wanted"),
        (212, "its signal is too weak"),
        (77, "no connection (77)"),
    ):
        wifi = start([["attic", PSK]], {"attic": {"psk": PSK, "refuses": reason}})
        assert joins(wifi, 4) is None
        assert told("attic: " + words) == 1, (reason, lines)


def test_a_network_that_gives_no_address_is_left_after_a_while():
    wifi = start([["attic", PSK], ["cellar", PSK]], {"attic": PSK}, connect_ms=60000)
    assert joins(wifi, 22) is None
    assert told("attic: no connection in 20 s") == 1, lines


def test_settings_of_any_shape_leave_the_station_alone():
    shapes = b"{}", b'{"attic":1}', b"[1]", b'[["attic"]]', b'[["attic",1]]', b"null", b"\xff"
    for blob in shapes:
        start([], {})
        nvs.put("wifi", blob)
        assert joins(Wifi(wifi_join.station()), 1) is None
        assert told("flyve provision --wifi") == 1 + (blob != b"{}"), (blob, lines)
