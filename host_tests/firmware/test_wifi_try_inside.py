"""One try to join, looked at often or seldom, with the driver of boards/virtual."""

import time

import network

from flyve.jobs import wifi_try

BOARD = True
PSK = "correct-horse"

now = [time.ticks_ms()]
time.ticks_ms = lambda: now[0]
air = {"aps": {"attic": PSK}, "scan_ms": 2000, "connect_ms": 8000}
network._inputs.get = lambda: air


def station():
    network._wlans = network._Station(network.STA_IF, bytes(6)), network._wlans[1]
    network._wlans[0].active(True)
    network._wlans[0].config(reconnects=0)
    return network._wlans[0]


def after(ms, sta, tried):
    now[0] = time.ticks_add(now[0], ms)
    return wifi_try.failure(sta, tried)


def refusal(looks, ms):
    """A station that was refused for its passphrase, looked at so often, each so many ms."""
    sta = station()
    tried = wifi_try.begin(sta, "attic", "wrong")
    why = None
    for _ in range(looks):
        why = why or after(ms, sta, tried)
    assert why == "wrong passphrase (202)"
    return sta


def test_the_reason_of_the_try_before_is_not_this_one_s_however_seldom_one_looks():
    for pauses in ((20, 3000, 20, 1000), (3000, 20, 2000), (5500, 20, 20)):
        sta = refusal(200, 20)
        sta.disconnect()
        tried = wifi_try.begin(sta, "attic", PSK)
        for ms in pauses:
            assert after(ms, sta, tried) is None, (pauses, ms)


def test_a_reason_that_stays_is_told_though_one_looks_seldom():
    refusal(3, 7000)


def test_a_try_ends_after_a_while_though_nobody_has_looked():
    sta = station()
    tried = wifi_try.begin(sta, "attic", PSK)
    assert after(20001, sta, tried) == "no connection in 20 s"
