"""flyve.jobs.clock against NTP servers that are right, wrong, or silent."""

import calendar
import struct

import pytest

from host_tests.kit.peers.identities import HOST

BOARD = True

TO_1900 = 2208988800  # from 1970
TO_2000 = 946684800
NOW = calendar.timegm((2027, 5, 6, 7, 8, 9))
NONE = "no NTP server answered: allow UDP 123, or set `ntp`"


def reply(request, seconds=NOW, first=0x24, stratum=2, originate=None, size=48, spread=0):
    """A server's answer; seconds: since 1970."""
    packet = bytearray(48)
    packet[0], packet[1] = first, stratum
    packet[8:10] = spread.to_bytes(2, "big")
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


def sync(upy, *servers, floor=None):
    floor = upy.call("clock_calls", "build") if floor is None else floor
    return upy.call("clock_calls", "sync", list(servers), floor)


def again(upy, *servers):
    return upy.call("clock_calls", "again", list(servers))


def refused(upy, name, line):
    found = sync(upy, name)
    assert (found.get("kind"), found.get("text")) == ("clock", NONE)
    assert not found["set"]
    assert f"DEBUG clock: {line}" in found["lines"]


def test_the_clock_is_set(upy, server):
    name, _ = server()
    found = sync(upy, name)
    assert "text" not in found, found
    assert NOW - TO_2000 <= found["now"] <= NOW - TO_2000 + 1
    assert f"INFO clock: set to 2027-05-06 07:08:09 by {name}" in found["lines"]


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


# A3
@pytest.mark.parametrize(
    "options",
    [
        {"stratum": 0},
        {"stratum": 16},
        {"first": 0xE4},
        {"spread": 16},
        {"seconds": -TO_1900},
        {"seconds": 2**32 - TO_1900},
    ],
    ids=["stratum 0", "stratum 16", "leap 3", "dispersion", "time 0", "time 0 of era 1"],
)
def test_a_server_that_does_not_know_the_time_is_refused(upy, server, options):
    name, _ = server(**options)
    refused(upy, name, f"{HOST} does not know the time")


@pytest.mark.parametrize(
    "moment",
    [
        (2036, 2, 7, 6, 28, 15),
        (2036, 2, 7, 6, 28, 17),
        (2040, 1, 1, 0, 0, 0),
    ],
    ids=["last of era 0", "second of era 1", "2040"],
)
def test_the_rollover_of_2036(upy, server, moment):
    name, _ = server(seconds=calendar.timegm(moment))
    found = sync(upy, name, floor=calendar.timegm((2036, 1, 1, 0, 0, 0)) - TO_2000)
    assert "text" not in found, found
    assert 0 <= found["now"] - (calendar.timegm(moment) - TO_2000) <= 1


def test_a_time_before_the_build_date_is_refused(upy, server):
    build = upy.call("clock_calls", "build")
    name, _ = server(seconds=build + TO_2000 - 1)
    refused(upy, name, f"{HOST} tells a time in the past")
    name, _ = server(seconds=build + TO_2000)
    assert "text" not in sync(upy, name)


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


DAY = 86400
YEAR = 365 * DAY
LEAPS = [2 * YEAR, 10 * YEAR, 60 * YEAR]
LONE = "no second NTP server agrees: correct `ntp`"


@pytest.fixture
def ahead(server):
    """Starts an NTP server that is so many seconds ahead of NOW."""
    return lambda seconds: server(seconds=NOW + seconds)[0]


def lies(found, seconds):
    return 0 <= found["now"] - (NOW + seconds - TO_2000) <= 2


# A3
@pytest.mark.parametrize("leap", LEAPS)
def test_the_only_server_s_leap_is_believed_and_moves_no_floor(upy, ahead, leap):
    found = sync(upy, ahead(leap))
    assert lies(found, leap) and not found["sure"]
    upy.call("clock_calls", "verified")
    truth = again(upy, ahead(0))
    assert lies(truth, 0) and truth["sure"]
    assert (truth["floor"], truth["kept"]) == (upy.call("clock_calls", "build"), None)


# A3
def test_after_a_leap_the_only_server_is_soon_asked_again(upy, ahead):
    name = ahead(5 * YEAR)
    assert sync(upy, name)["due"] <= 60
    assert 60 < again(upy)["due"] <= 3600
    assert lies(again(upy, ahead(0)), 0)


# A3
@pytest.mark.parametrize("leap", [*LEAPS, 400 * DAY])
def test_a_leap_that_a_second_server_denies_is_not_believed(upy, ahead, leap):
    found = sync(upy, ahead(leap), ahead(0))
    assert lies(found, 0) and found["sure"]


# A3
def test_a_leap_without_a_second_word_is_not_believed(upy, ahead, datagrams):
    silent = datagrams(lambda data: None)
    found = sync(upy, ahead(5 * YEAR), f"{HOST}:{silent.port}")
    assert (found["text"], found["set"]) == (LONE, False)
    assert sync(upy, ahead(5 * YEAR), ahead(9 * YEAR))["text"] == LONE


# A3
def test_one_server_that_is_named_twice_is_one(upy, ahead):
    name = ahead(5 * YEAR)
    assert not sync(upy, name, name)["sure"]


# A3
def test_a_leap_that_two_servers_tell_is_believed(upy, ahead):
    found = sync(upy, ahead(5 * YEAR), ahead(9 * YEAR), ahead(5 * YEAR + 30))
    assert lies(found, 5 * YEAR + 30) and found["sure"]


# A3
@pytest.mark.parametrize("leap", [2 * DAY, -2 * DAY, 200 * DAY, 5 * YEAR])
def test_a_clock_that_is_sure_is_not_moved_by_one_of_two_servers(upy, ahead, leap):
    sync(upy, ahead(0))
    found = again(upy, ahead(leap), ahead(5 * leap))
    assert (found["text"], found["set"], found["sure"]) == (LONE, False, True)


# A3
def test_the_floor_rises_only_when_a_certificate_was_verified(upy, ahead):
    found = sync(upy, ahead(0))
    build = upy.call("clock_calls", "build")
    assert (found["floor"], found["kept"]) == (build, None)
    upy.call("clock_calls", "verified")
    found = again(upy)
    assert 0 <= found["now"] - DAY - found["kept"] <= 2 and found["floor"] == found["kept"]


# A3
@pytest.mark.parametrize("names", [1, 2])
def test_the_only_server_or_two_that_agree_lower_the_floor(upy, ahead, names):
    name = ahead(0)
    servers = [name] if names == 1 else [name, ahead(5)]
    found = sync(upy, *servers, floor=NOW - TO_2000 + 9 * YEAR)
    assert lies(found, 0 if names == 1 else 5)
    assert found["floor"] == found["kept"] == pytest.approx(found["now"] - DAY, abs=2)
    assert "WARN clock: the last known time was wrong" in found["lines"]


# A3
def test_one_of_two_servers_does_not_lower_the_floor(upy, ahead, server):
    bad, _ = server(stratum=0)
    floor = NOW - TO_2000 + 9 * YEAR
    found = sync(upy, ahead(0), bad, floor=floor)
    assert (found["text"], found["floor"], found["kept"]) == (LONE, floor, None)


# A3
def test_the_floor_is_never_lowered_below_the_build_date(upy, server):
    build = upy.call("clock_calls", "build")
    name, _ = server(seconds=build + TO_2000 + 10)
    assert sync(upy, name, floor=build + YEAR)["floor"] == build
