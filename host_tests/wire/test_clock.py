"""flyve.clock against NTP servers that are right, wrong, or silent."""

import calendar
import struct

import pytest

from host_tests.wire.conftest import HOST

BOARD = True

TO_1900 = 2208988800  # from 1970
TO_2000 = 946684800
NOW = calendar.timegm((2026, 5, 6, 7, 8, 9))
NONE = "no NTP server answered: allow UDP 123, or set `ntp`"


def reply(request, seconds=NOW, first=0x24, stratum=2, originate=None, size=48):
    """A server's answer; seconds: since 1970."""
    packet = bytearray(48)
    packet[0], packet[1] = first, stratum
    packet[24:32] = request[40:48] if originate is None else originate
    packet[32:40] = packet[40:48] = struct.pack("!II", (seconds + TO_1900) & 0xFFFFFFFF, 0)
    return bytes(packet[:size])


@pytest.fixture
def server(datagrams):
    """Starts an NTP server with that answer; its name for the settings, and itself."""

    def start(**options):
        started = datagrams(lambda data: reply(data, **options))
        return f"{HOST}:{started.port}", started

    return start


def sync(upy, *servers, floor=0):
    return upy.call("clockpart", "sync", list(servers), floor)


def refused(upy, name, line, floor=0):
    found = sync(upy, name, floor=floor)
    assert (found.get("kind"), found.get("text")) == ("clock", NONE)
    assert not found["set"]
    assert f"DEBUG clock: {line}" in found["lines"]


def test_the_clock_is_set(upy, server):
    name, _ = server()
    found = sync(upy, name)
    assert "text" not in found, found
    assert NOW - TO_2000 <= found["now"] <= NOW - TO_2000 + 1
    assert f"INFO clock: set to 2026-05-06 07:08:09 by {name}" in found["lines"]


def test_the_question_is_ntp_s(upy, server):
    name, started = server()
    sync(upy, name)
    (request,) = started.received
    assert len(request) == 48
    assert request[0] == 0x23  # version 4, client
    assert request[40:48] != bytes(8)


def test_two_questions_differ(upy, server):
    name, started = server()
    sync(upy, name)
    sync(upy, name)
    assert started.received[0][40:48] != started.received[1][40:48]


@pytest.mark.parametrize("originate", [bytes(8), b"\xff" * 8])
def test_an_answer_to_somebody_else_is_refused(upy, server, originate):
    name, _ = server(originate=originate)
    refused(upy, name, f"{HOST} sent no NTP answer")


@pytest.mark.parametrize("options", [{"first": 0x23}, {"first": 0x25}, {"size": 47}, {"size": 0}])
def test_what_is_no_server_s_answer_is_refused(upy, server, options):
    name, _ = server(**options)
    refused(upy, name, f"{HOST} sent no NTP answer")


@pytest.mark.parametrize("options", [{"stratum": 0}, {"stratum": 16}, {"first": 0xE4}])
def test_a_server_that_does_not_know_the_time_is_refused(upy, server, options):
    name, _ = server(**options)
    refused(upy, name, f"{HOST} does not know the time")


@pytest.mark.parametrize(
    "moment",
    [
        (2036, 2, 7, 6, 28, 15),
        (2036, 2, 7, 6, 28, 16),
        (2036, 2, 7, 6, 28, 17),
        (2040, 1, 1, 0, 0, 0),
    ],
    ids=["last of era 0", "first of era 1", "second of era 1", "2040"],
)
def test_the_rollover_of_2036(upy, server, moment):
    name, _ = server(seconds=calendar.timegm(moment))
    found = sync(upy, name)
    assert "text" not in found, found
    assert 0 <= found["now"] - (calendar.timegm(moment) - TO_2000) <= 1


def test_a_time_below_the_floor_is_refused(upy, server):
    name, _ = server()
    refused(upy, name, f"{HOST} tells a time in the past", floor=NOW - TO_2000 + 1)
    assert "text" not in sync(upy, name, floor=NOW - TO_2000)


def test_the_second_server_serves_when_the_first_does_not(upy, server):
    bad, _ = server(stratum=0)
    good, _ = server()
    found = sync(upy, bad, good)
    assert "text" not in found, found
    assert found["yields"] == 1
    assert found["lines"][-1].endswith(f" by {good}")


def test_a_server_that_is_silent_costs_two_seconds(upy, datagrams, server):
    silent = datagrams(lambda data: None)
    good, _ = server()
    found = sync(upy, f"{HOST}:{silent.port}", good)
    assert "text" not in found, found
    assert 1950 < found["ms"] < 2300


@pytest.mark.parametrize("name", ["nowhere.example.org", f"{HOST}:ntp", "", ":123"])
def test_a_name_that_is_no_server_is_passed_over(upy, server, name):
    good, _ = server()
    assert "text" not in sync(upy, name, good)


def test_without_a_server_the_error_says_what_to_do(upy):
    found = sync(upy)
    assert (found["kind"], found["text"]) == ("clock", NONE)
