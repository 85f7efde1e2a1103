"""Files of the sizes at which servers and filesystems trip, from both modes of the backend."""

import json
import re
import time

import pytest

from host_tests.firmware.depot import LARGE, PATH, SIZES, sha256
from host_tests.kit.sample import content


@pytest.mark.parametrize("mode", ["quirky", "strict"])
def test_every_size_arrives_byte_exact(make_depot, mode):
    depot = make_depot(range=mode)
    sizes = [size for size in (*SIZES, LARGE) if size != 1 or mode == "strict"]
    contents = [content(size) for size in sizes]
    depot.fetch_all([depot.offer(data) for data in contents])
    assert depot.done() == [(PATH, len(data), sha256(data)) for data in contents]
    assert depot.leftovers() == []
    assert depot.backend.state.sessions == {}


@pytest.mark.parametrize("chunk", [512, 4096, 5461, 16384, 16385, 32769])
def test_no_request_has_a_length_at_which_the_backend_loses_a_byte(depot, chunk):
    files = [depot.offer(content(size)) for size in (2, 16385, 16386, 32769)]
    depot.fetch_all(files, chunk=chunk)
    lengths = [part.end - part.begin for part in depot.front.parts]
    assert all(length % 16384 != 1 and length <= max(2, chunk) for length in lengths)


def test_one_byte_of_the_quirky_backend_fails_with_the_reason_and_leaves_no_file(depot):
    depot.offer(b"x")
    assert depot.fetch() is None
    assert "the server does not send byte 0 of 1" in depot.failure()
    assert depot.leftovers() == []


def test_a_package_arrives_too(depot):
    data = content(20000)
    depot.file = depot.backend.tasks.add_package(data, "org.example.app", "app.upk")
    assert depot.fetch(endpoints=[f"PluginFlyvemdmPackage/{depot.file.id}"]) == data


def test_over_https(make_depot):
    depot = make_depot(tls=True)
    depot.board.write("/ca.der", depot.backend.ca_der.read_bytes())
    data = content(65537)
    depot.offer(data)
    clock = list(time.gmtime()[:6])
    assert depot.fetch(ca="/ca.der", clock=clock) == data


def test_each_block_of_the_flash_is_written_once(depot):
    # Blocks that are flushed half full are copied when they go on.
    data = content(200_000)
    depot.offer(data)
    depot.fetch()
    assert depot.run.wear.programmed < 1.05 * len(data)


def test_few_connections_are_made_for_a_large_file(depot):
    depot.offer(content(LARGE))
    depot.fetch()
    assert len(depot.front.parts) <= 3


def test_between_two_pieces_come_at_most_4_kib(depot):
    depot.offer(content(65537))
    depot.prepare(pieces=True)
    depot.finish()
    (line,) = [line for line in depot.log if line.startswith("pieces ")]
    have = json.loads(line[7:])
    assert max(b - a for a, b in zip(have, have[1:], strict=False)) <= 4096


def test_the_headers_are_those_of_the_protocol(depot):
    depot.offer(content(100))
    depot.fetch()
    (part,) = depot.front.parts
    assert b"\r\nAccept: application/octet-stream\r\n" in part.raw
    assert b"\r\nContent-Type: application/json\r\n" in part.raw
    assert b"\r\nRange: bytes=0-99\r\n" in part.raw


def test_no_space_is_told_before_the_first_byte(depot):
    depot.offer(content(2_200_000))
    assert depot.fetch() is None
    assert "no space: 2200000 bytes to come" in depot.failure()
    assert depot.front.parts == []
    assert depot.leftovers() == []


@pytest.mark.exact
def test_space_is_what_other_files_leave_less_a_margin(depot):
    depot.board.write("/other", content(1_500_000))
    depot.offer(content(1_000_000))
    depot.fetch()
    free = int(re.search(r"no space: 1000000 bytes to come, (\d+) free", depot.failure())[1])
    assert (2 << 20) - 1_500_000 - 340_000 < free < (2 << 20) - 1_500_000
    blocks = free // 4096
    for size, fits in (((blocks - 2) * 4088, False), ((blocks - 10) * 4088, True)):
        depot.offer(content(size))
        assert (depot.fetch() == depot.file.data) == fits
        assert ("no space" in depot.failure()) != fits


def test_a_file_that_nearly_fills_the_flash_arrives(depot):
    free = (2 << 20) - sum((size + 8191) // 4096 * 4096 for _, size in depot.board.files())
    data = content(free - 40 * 4096)
    depot.offer(data)

    def edit(request, answer):
        if request.bytes_wanted and not request.begin:
            answer.limit = len(answer.head) + len(data) * 2 // 3
        elif request.bytes_wanted:
            answer.limit = 0

    # What has come is no longer to come: the second life needs space only for the rest.
    depot.front.edit = edit
    assert depot.fetch(chunk=len(data)) is None
    depot.front.edit = None
    assert depot.fetch() == data


def test_the_old_file_is_replaced(depot):
    depot.board.write(PATH, b"old")
    data = content(5000)
    depot.offer(data)
    assert depot.fetch() == data


def test_a_refused_place_costs_no_byte(depot):
    depot.offer(content(100), "a\\b.bin")
    depot.fetch(path="/files/")
    assert depot.failure() == "Failed refused file name"
    assert depot.front.parts == []


def test_a_directory_in_the_files_place_is_a_failure_that_leaves_nothing(depot):
    depot.board.write(PATH + "/inner", b"x")
    depot.offer(content(100))
    depot.prepare()
    depot.finish()
    assert "Failed flash: " in depot.failure()
    assert depot.leftovers() == []
