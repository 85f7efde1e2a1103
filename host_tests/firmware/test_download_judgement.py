"""Answers that are not what was asked for: each is used for what it is worth, or refused."""

import itertools
import json

import pytest

from host_tests.firmware.depot import PATH, sha256
from host_tests.kit.sample import content

DATA = content(70_000)


def broken_off(size):
    """The first answer breaks off after so many bytes, and of the others none comes."""

    def change(request, answer):
        answer.limit = 0
        if not request.begin:
            answer.cut_body(size)

    return change


@pytest.fixture
def offered(depot):
    """A depot that offers 70,000 bytes."""
    depot.offer(DATA)
    return depot


def whole_file(depot):
    """An edit by which the server ignores ranges."""

    def change(request, answer):
        answer.status = "200 OK"
        answer.headers.pop("content-range", None)
        answer.headers["content-length"] = str(len(depot.file.data))
        answer.body = depot.file.data

    return change


def test_200_is_read_on_to_its_end_and_not_asked_for_again(offered):
    offered.edit_parts(whole_file(offered))
    assert offered.fetch(chunk=4096) == DATA
    assert [part.begin for part in offered.front.parts] == [0]


def test_200_after_a_cut_is_read_over_up_to_where_we_are(offered):
    whole = whole_file(offered)

    def change(request, answer):
        whole(request, answer)
        if request.begin == 0:
            answer.cut_body(33_333)

    offered.edit_parts(change)
    assert offered.fetch() == DATA
    assert [part.begin for part in offered.front.parts] == [0, 33_333]


def test_200_whose_last_byte_is_lost(depot):
    data = content(16385)
    depot.offer(data)
    whole = whole_file(depot)

    def change(request, answer):
        if request.begin == 0:
            whole(request, answer)
            answer.body = data[:-1]

    depot.edit_parts(change)
    assert depot.fetch() == data
    assert [(p.begin, p.end) for p in depot.front.parts] == [(0, 16383), (16383, 16385)]


def test_200_that_always_loses_the_last_byte_fails_with_the_reason(offered):
    whole = whole_file(offered)

    def change(request, answer):
        whole(request, answer)
        answer.body = answer.body[:-1]

    offered.edit_parts(change)
    assert offered.fetch() is None
    assert "the server does not send byte 69999 of 70000" in offered.failure()
    assert len(offered.front.parts) <= 5
    assert offered.leftovers() == []


def test_an_end_off_by_one_as_documented(offered):
    def change(_, answer):
        span, total = answer.headers["content-range"].split("/")
        begin, end = span.split("-")
        answer.headers["content-range"] = f"{begin}-{int(end) + 1}/{total}"

    offered.edit_parts(change)
    assert offered.fetch(chunk=32768) == DATA


def test_the_documented_headers(offered):
    def change(_, answer):
        answer.status = "200 OK"
        answer.headers["content-range"] = "bytes 0-70000/70000"
        answer.headers["connection"] = "keep-alive"

    offered.edit_parts(change)
    assert offered.fetch() == DATA


def test_a_last_byte_that_is_lost_is_fetched_with_the_one_before(offered):
    def change(request, answer):
        if request.end - request.begin > 2:
            answer.body = answer.body[:-1]

    offered.edit_parts(change)
    assert offered.fetch() == DATA
    last = offered.front.parts[-1]
    assert (last.begin, last.end) == (69_998, 70_000)


def test_a_short_body_goes_on_where_it_ended(offered):
    offered.edit_parts(lambda _, answer: answer.cut_body(20_001))
    assert offered.fetch() == DATA
    assert [part.begin for part in offered.front.parts] == [0, 20_001, 40_002, 60_003]


def test_bodies_of_a_few_bytes_do_not_count_for_ever(offered):
    offered.edit_parts(lambda _, answer: answer.cut_body(10))
    assert offered.fetch() is None
    assert "the server does not send byte 40 of 70000" in offered.failure()
    assert len(offered.front.parts) == 4


def test_more_bytes_than_were_asked_for_are_left(offered):
    def change(request, answer):
        answer.body = DATA[request.begin :]
        answer.headers["content-length"] = str(len(answer.body))

    offered.edit_parts(change)
    assert offered.fetch(chunk=16384) == DATA


def test_a_part_that_begins_earlier_is_read_over(offered):
    def change(request, answer):
        begin = max(0, request.begin - 100)
        answer.headers["content-range"] = f"bytes {begin}-{request.end - 1}/70000"
        answer.body = DATA[begin : request.end]

    offered.edit_parts(change)
    assert offered.fetch(chunk=16384) == DATA


def test_a_part_that_begins_later_is_refused(offered):
    def change(_, answer):
        answer.headers["content-range"] = "bytes 5-69999/70000"
        answer.body = answer.body[5:]

    offered.edit_parts(change)
    assert offered.fetch() is None
    assert "the server sends byte 5 instead of 0" in offered.failure()
    assert offered.leftovers() == []


def test_a_missing_content_range_is_made_up_for_by_the_right_length(offered):
    def change(_, answer):
        answer.headers.pop("content-range")

    offered.edit_parts(change)
    assert offered.fetch(chunk=16384) == DATA


@pytest.mark.parametrize("text", [None, "bytes", "nonsense/x", "bytes */70000", "bytes a-9/9"])
def test_a_part_of_an_unknown_place_is_never_used(offered, text):
    def change(_, answer):
        answer.status = "206 Partial Content"
        answer.headers.pop("content-range")
        answer.headers.pop("content-length")
        if text:
            answer.headers["content-range"] = text

    offered.edit_parts(change)
    assert offered.fetch() is None
    assert "the server does not tell which part it sends" in offered.failure()
    assert offered.received() == 0


def test_an_untold_total_is_accepted(offered):
    def change(request, answer):
        answer.headers["content-range"] = f"bytes {request.begin}-{request.end - 1}/*"

    offered.edit_parts(change)
    assert offered.fetch(chunk=16384) == DATA


def refuse_range(_, answer):
    answer.status = "416 Range Not Satisfiable"
    answer.headers = {"content-range": "bytes */70000", "content-length": "0"}
    answer.body = b""


# A14
def test_416_of_a_file_of_the_same_length_is_no_verdict(offered):
    offered.edit_parts(refuse_range)
    assert offered.fetch() is None
    assert offered.failure().startswith("RestError NO_BODY")
    offered.front.edit = None
    assert offered.fetch() == DATA


def test_416_of_another_length_for_ever_fails_with_the_reason(offered):
    def change(request, answer):
        refuse_range(request, answer)
        answer.headers["content-range"] = "bytes */9"

    offered.edit_parts(change)
    assert offered.fetch() is None
    assert "does not stay the same" in offered.failure()
    assert len(offered.front.parts) <= 3
    assert offered.leftovers() == []


# A14
@pytest.mark.parametrize(
    ("status", "body"),
    [("404 Not Found", b"<html>"), ("404 Not Found", b'{"message": "no"}'), ("403 X", b"[]"),
     ("429 X", b""), ("408 X", b"<html>"), ("200 OK", b"<!DOCTYPE html>Sorry")],
)  # fmt: skip
@pytest.mark.parametrize("bytes_wanted", [True, False])
def test_what_a_gateway_says_of_a_file_is_no_verdict(offered, status, body, bytes_wanted):
    def change(request, answer):
        if request.item is not None and request.bytes_wanted == bytes_wanted:
            answer.status, answer.body = status, body
            answer.headers = {"content-type": "text/html", "content-length": str(len(body))}

    offered.front.edit = change
    assert offered.fetch() is None
    assert offered.failure().split()[0] in ("NetError", "RestError")
    offered.front.edit = None
    assert offered.fetch() == DATA


# A14
@pytest.mark.parametrize(
    ("body", "text"),
    [(b"", "the server has lost PluginFlyvemdmFile/1"),
     (b'["ERROR_ITEM_NOT_FOUND","Item not found"]', "has lost")],
)  # fmt: skip
def test_the_backend_s_own_404_for_the_bytes_is_its_verdict(offered, body, text):
    def change(_, answer):
        answer.status, answer.body = "404 Not Found", body
        answer.headers = {"content-length": str(len(body))}

    offered.edit_parts(change)
    assert offered.fetch() is None
    assert offered.failure().startswith("Failed") and text in offered.failure()


# A14
def test_a_server_that_asks_to_wait_is_asked_once(offered):
    def change(_, answer):
        answer.status, answer.body = "503 Busy", b""
        answer.headers = {"content-length": "0", "retry-after": "7"}

    offered.edit_parts(change)
    assert offered.fetch() is None
    assert len(offered.front.parts) == 1


def test_416_of_a_file_that_became_shorter_starts_over(make_depot):
    depot = make_depot(range="strict")
    depot.offer(DATA)
    short = content(9_000, 5)

    def change(request, answer):
        if request.begin == 0 and depot.file.version == 1:
            depot.backend.tasks.update_file(depot.file, short)

    depot.edit_parts(change)
    assert depot.fetch(chunk=16384) == short
    assert depot.done()[-1][2] == sha256(short)


@pytest.mark.parametrize("same_size", [True, False])
@pytest.mark.parametrize("aged", [True, False], ids=["later", "in the same second"])
@pytest.mark.parametrize("after", [0, 49_152])
def test_a_file_that_changes_between_two_parts_is_never_mixed(offered, same_size, aged, after):
    depot = offered
    other = content(70_000 if same_size else 71_000, 1)

    def change(request, answer):
        if request.begin == after and depot.file.version == 1:
            before = depot.file.modified
            depot.backend.tasks.update_file(depot.file, other)
            depot.file.modified = before + (5 if aged else 0)

    depot.edit_parts(change)
    assert depot.fetch(chunk=16384) == other
    assert any("changed on the server" in line for line in depot.log)


def test_a_part_of_another_time_is_never_used(offered):
    times = iter(["Mon, 02 Nov 2026 08:00:00 GMT", "Mon, 02 Nov 2026 08:00:07 GMT"])

    def change(_, answer):
        answer.headers["last-modified"] = next(times, "Mon, 02 Nov 2026 08:00:07 GMT")

    offered.edit_parts(change)
    assert offered.fetch(chunk=16384) == DATA
    assert any(
        "changed on the server: now 70000 bytes of Mon, 02 Nov 2026 08:00:07 GMT" in line
        for line in offered.log
    )
    assert [part.begin for part in offered.front.parts] == [0, 16_384, *range(0, 70_000, 16_384)]


@pytest.mark.parametrize("aged", [True, False], ids=["later", "in the same second"])
def test_a_file_that_changes_while_the_power_is_off_is_never_mixed(offered, aged):
    depot = offered
    depot.prepare()
    depot.finish(cut_after=300)
    assert depot.leftovers()
    other = content(70_000, 1)
    before = depot.file.modified
    depot.backend.tasks.update_file(depot.file, other)
    depot.file.modified = before + (5 if aged else 0)
    assert depot.fetch() == other


def test_another_file_does_not_go_on_from_this_one_s_part(offered):
    depot = offered
    depot.prepare()
    depot.finish(cut_after=300)
    other = content(70_000, 1)
    depot.offer(other)
    assert depot.fetch() == other


def test_a_file_that_changes_all_the_time_fails_with_the_reason(offered):
    def change(_, answer):
        answer.headers["content-range"] = "bytes 0-70000/70001"

    offered.edit_parts(change)
    assert offered.fetch() is None
    assert "does not stay the same" in offered.failure()
    assert len(offered.front.parts) == 3
    assert offered.leftovers() == []


def test_a_redirect_is_told_and_not_followed(offered):
    offered.backend.fault("PluginFlyvemdmFile", "redirect", location="http://127.0.0.1:9/on")
    assert offered.fetch() is None
    assert "the server sends us on to http://127.0.0.1:9/on" in offered.failure()


def test_a_redirect_of_the_bytes_is_told_and_not_followed(offered):
    def change(_, answer):
        answer.status = "302 Found"
        answer.headers = {"location": f"http://127.0.0.1:{offered.front.port}/again"}

    offered.edit_parts(change)
    assert offered.fetch() is None
    assert "the server sends us on to" in offered.failure()
    assert len(offered.front.parts) == 1


def test_a_dripping_body_ends_at_its_deadline(offered):
    def change(_, answer):
        answer.pace = (1, 0.002)  # too few for one piece to count as progress

    offered.edit_parts(change)
    assert offered.fetch(idle_ms=300) is None
    assert "did not answer in time" in offered.failure()
    assert len(offered.front.parts) == 4


def test_a_slow_body_that_keeps_coming_is_read_to_its_end(offered):
    def change(_, answer):
        answer.pace = (4096, 0.1)

    offered.edit_parts(change)
    assert offered.fetch(idle_ms=600, chunk=70_000) == DATA
    assert len(offered.front.parts) == 1


def test_a_stalled_body_goes_on_after_its_deadline(offered):
    def change(request, answer):
        if request.begin == 0:
            answer.cut_body(30_000)
            answer.hold = True

    offered.edit_parts(change)
    assert offered.fetch(idle_ms=400) == DATA
    assert [part.begin for part in offered.front.parts] == [0, 30_000]


@pytest.mark.parametrize("name", ["Content-Encoding", "Transfer-Encoding"])
@pytest.mark.parametrize("coding", ["gzip", "chunked"])
def test_an_encoding_that_nobody_asked_for_is_refused(offered, name, coding):
    offered.edit_parts(lambda _, answer: answer.headers.update({name: coding}))
    assert offered.fetch() is None
    assert offered.failure()
    assert offered.received() == 0
    if (name, coding) != ("Transfer-Encoding", "chunked"):  # the library refuses that one
        assert f"the server sends {coding} data instead of the file" in offered.failure()


def test_a_web_page_instead_of_the_file_is_refused(offered):
    def change(_, answer):
        answer.status, answer.body = "200 OK", b"<html>Sign in to the network</html>"
        answer.headers = {"content-type": "text/html"}

    offered.edit_parts(change)
    assert offered.fetch() is None
    assert "the server sends text/html instead of the file" in offered.failure()


def test_json_instead_of_the_file_is_refused(offered):
    def change(_, answer):
        answer.status = "200 OK"
        answer.headers = {"content-type": "application/json; charset=UTF-8"}

    offered.edit_parts(change)
    assert offered.fetch() is None
    assert "the server sends application/json" in offered.failure()


@pytest.mark.parametrize("size", ["-1", '"many"', "[1]"])
def test_a_json_form_without_a_usable_size_is_refused(offered, size):
    def edit(request, answer):
        if b"PluginFlyvemdmFile" in request.raw and not request.bytes_wanted:
            member = b'"filesize":70000'
            assert member in answer.body
            answer.body = answer.body.replace(member, b'"filesize":' + size.encode())

    offered.front.edit = edit
    assert offered.fetch() is None
    assert "no size in the JSON form of PluginFlyvemdmFile/1" in offered.failure()


def test_a_session_that_expires_in_the_middle_is_renewed(offered):
    depot = offered

    def change(request, _):
        if request.begin == 16_384:
            depot.backend.expire_sessions()

    depot.edit_parts(change)
    assert depot.fetch(chunk=16384) == DATA
    statuses = [r.status for r in depot.backend.requests if "PluginFlyvemdmFile" in r.path]
    assert statuses.count(401) == 1
    assert depot.backend.state.sessions == {}


def test_a_session_that_expires_before_each_request_is_renewed_each_time(offered):
    depot = offered
    depot.edit_parts(lambda *_: depot.backend.expire_sessions())
    assert depot.fetch(chunk=16384) == DATA


def test_a_dead_account_ends_the_download_with_its_code(offered):
    depot = offered

    def change(request, _):
        if request.begin == 16_384:
            depot.backend.expire_sessions()
            depot.backend.state.users.clear()

    depot.edit_parts(change)
    assert depot.fetch(chunk=16384) is None
    assert "RestError ERROR_GLPI_LOGIN_USER_TOKEN" in depot.failure()


def test_a_server_that_fails_once_is_asked_again(offered):
    offered.backend.fault("PluginFlyvemdmFile", "error", times=0)
    fault = offered.backend.options.faults[-1]

    def edit(request, answer):
        if not request.bytes_wanted and b"PluginFlyvemdmFile" in request.raw:
            fault.times = 2

    offered.front.edit = edit
    assert offered.fetch() == DATA


def test_a_file_without_bytes_on_the_server_fails_with_the_reason(offered):
    offered.file.data = None
    assert offered.fetch() is None
    assert offered.failure() == "Failed the server has lost PluginFlyvemdmFile/1"
    assert offered.leftovers() == []


def test_no_such_file(offered):
    assert offered.fetch(endpoints=["PluginFlyvemdmFile/999"]) is None
    assert "RestError ERROR_ITEM_NOT_FOUND Item not found (HTTP 404)" in offered.failure()


def test_requests_that_bring_little_are_counted_in_a_row_and_of_one_version(offered):
    other = content(70_000, 1)
    number = itertools.count()

    def change(request, answer):
        n = next(number)
        if n < 8 or 8 < n < 12:
            answer.cut_body(300 if n in (3, 7) else 10)
        if n == 7:
            offered.backend.tasks.update_file(offered.file, other)

    offered.edit_parts(change)
    assert offered.fetch() == other, offered.log
    assert any("changed on the server" in line for line in offered.log)


def test_a_part_survives_a_server_that_is_away_for_long(offered):
    def change(request, answer):
        if request.begin:
            answer.limit = 0
        else:
            answer.cut_body(40_000)

    offered.edit_parts(change)
    assert offered.fetch() is None
    offered.front.edit = None
    offered.front.requests.clear()
    assert offered.fetch() == DATA
    assert [part.begin for part in offered.front.parts] == [40_000]


@pytest.mark.parametrize("size", [1, 4096, 4096 + 4092])  # the latter: where blocks end
def test_a_part_of_any_size_is_gone_on_with(offered, size):
    offered.edit_parts(broken_off(size))
    assert offered.fetch() is None
    offered.front.edit = None
    assert offered.fetch() == DATA
    assert offered.front.parts[-1].begin >= size
    assert any(f"download: goes on at byte {size} of 70000" in line for line in offered.log)


def test_an_old_file_of_the_same_size_is_not_taken_for_the_new_one(offered):
    offered.board.write(PATH, content(70_000, 1))

    # The headers come once; no byte ever does.
    def change(_, answer):
        answer.limit = len(answer.head) if len(offered.front.parts) == 1 else 0

    offered.edit_parts(change)
    offered.fetch()
    assert offered.leftovers() == ["/part.json"]
    offered.front.edit = None
    assert offered.fetch() == DATA


def test_the_journal_has_no_byte_for_the_eye_and_one_of_an_older_agent_is_read(offered):
    """Of 64 KiB 1.02 bytes may be programmed a byte: some are the journal's, which is written
    twice."""

    offered.edit_parts(broken_off(20_000))
    offered.fetch()
    text = offered.board.read("/part.json").decode()
    journal = json.loads(text)
    assert text == json.dumps(journal, separators=(",", ":"))
    assert None not in journal.values() and journal["total"] == len(DATA)
    offered.board.write("/part.json", json.dumps({**journal, "name": None}).encode())
    offered.front.edit = None
    begun = len(offered.front.parts)
    assert offered.fetch() == DATA
    assert offered.front.parts[begun].begin > 16_000


# A41
def test_an_old_file_is_not_taken_for_the_new_one_that_a_cut_left_without_its_part(offered):
    offered.edit_parts(broken_off(20_000))
    offered.fetch()
    assert "/files/a/%part" in offered.leftovers()
    journal = json.loads(offered.board.read("/part.json"))
    journal["sha256"] = sha256(DATA)
    offered.board.write("/part.json", json.dumps(journal).encode())
    offered.board.change({"/files/a/%part": None, PATH: content(70_000, 1)})
    offered.front.edit = None
    assert offered.fetch() == DATA
    assert offered.leftovers() == []


@pytest.mark.parametrize(
    "journal", [b"", b'{"file": [', b"\xff" * 40], ids=["empty", "cut", "noise"]
)
def test_a_damaged_journal_is_as_good_as_none(offered, journal):
    offered.board.write("/part.json", journal)
    offered.board.write("/files/a/%part", b"of another file")
    assert offered.fetch() == DATA


def test_the_old_file_stays_until_the_new_one_is_whole(offered):
    offered.board.write(PATH, b"old")
    offered.edit_parts(lambda _, answer: answer.cut_body(10))
    assert offered.fetch() == b"old"
