"""Files of the sizes at which servers and filesystems trip, from both modes of the backend."""

import json
import re
import time

import pytest

from host_tests.firmware.downloads import LARGE, PATH, SIZES, sha256
from host_tests.kit.sample import content


@pytest.mark.parametrize("mode", ["quirky", "strict"])
def test_every_size_arrives_byte_exact(make_site, mode):
    site = make_site(range=mode)
    sizes = [size for size in (*SIZES, LARGE) if size != 1 or mode == "strict"]
    contents = [content(size) for size in sizes]
    site.fetch_all([site.offer(data) for data in contents])
    assert site.done() == [(PATH, len(data), sha256(data)) for data in contents]
    assert site.leftovers() == []
    assert site.backend.state.sessions == {}


@pytest.mark.parametrize("chunk", [512, 4096, 5461, 16384, 16385, 32769])
def test_no_request_has_a_length_at_which_the_backend_loses_a_byte(site, chunk):
    files = [site.offer(content(size)) for size in (2, 16385, 16386, 32769)]
    site.fetch_all(files, chunk=chunk)
    lengths = [part.end - part.begin for part in site.front.parts]
    assert all(length % 16384 != 1 and length <= max(2, chunk) for length in lengths)


def test_one_byte_of_the_quirky_backend_fails_with_the_reason_and_leaves_no_file(site):
    site.offer(b"x")
    assert site.fetch() is None
    assert "the server does not send byte 0 of 1" in site.failure()
    assert site.leftovers() == []


def test_a_package_arrives_too(site):
    data = content(20000)
    site.file = site.backend.tasks.add_package(data, "org.example.app", "app.upk")
    assert site.fetch(endpoints=[f"PluginFlyvemdmPackage/{site.file.id}"]) == data


def test_over_https(make_site):
    site = make_site(tls=True)
    site.board.write("/ca.der", site.backend.ca_der.read_bytes())
    data = content(65537)
    site.offer(data)
    clock = list(time.gmtime()[:6])
    assert site.fetch(ca="/ca.der", clock=clock) == data


def test_each_block_of_the_flash_is_written_once(site):
    # Blocks that are flushed half full are copied when they go on.
    data = content(200_000)
    site.offer(data)
    site.fetch()
    assert site.run.wear.programmed < 1.05 * len(data)


def test_few_connections_are_made_for_a_large_file(site):
    site.offer(content(LARGE))
    site.fetch()
    assert len(site.front.parts) <= 3


def test_between_two_pieces_come_at_most_4_kib(site):
    site.offer(content(65537))
    site.prepare(pieces=True)
    site.finish()
    (line,) = [line for line in site.log if line.startswith("pieces ")]
    have = json.loads(line[7:])
    assert max(b - a for a, b in zip(have, have[1:], strict=False)) <= 4096


def test_the_headers_are_those_of_the_protocol(site):
    site.offer(content(100))
    site.fetch()
    (part,) = site.front.parts
    assert b"\r\nAccept: application/octet-stream\r\n" in part.raw
    assert b"\r\nContent-Type: application/json\r\n" in part.raw
    assert b"\r\nRange: bytes=0-99\r\n" in part.raw


def test_no_space_is_told_before_the_first_byte(site):
    site.offer(content(2_200_000))
    assert site.fetch() is None
    assert "no space: 2200000 bytes to come" in site.failure()
    assert site.front.parts == []
    assert site.leftovers() == []


def test_space_is_what_other_files_leave_less_a_margin(site):
    site.board.write("/other", content(1_500_000))
    site.offer(content(1_000_000))
    site.fetch()
    free = int(re.search(r"no space: 1000000 bytes to come, (\d+) free", site.failure())[1])
    assert (2 << 20) - 1_500_000 - 330_000 < free < (2 << 20) - 1_500_000
    blocks = free // 4096
    for size, fits in (((blocks - 2) * 4088, False), ((blocks - 10) * 4088, True)):
        site.offer(content(size))
        assert (site.fetch() == site.file.data) == fits
        assert ("no space" in site.failure()) != fits


def test_a_file_that_nearly_fills_the_flash_arrives(site):
    free = (2 << 20) - sum((size + 8191) // 4096 * 4096 for _, size in site.board.files())
    data = content(free - 40 * 4096)
    site.offer(data)

    def edit(request, answer):
        if request.bytes_wanted and not request.begin:
            answer.limit = len(answer.head) + len(data) * 2 // 3
        elif request.bytes_wanted:
            answer.limit = 0

    # What has come is no longer to come: the second life needs space only for the rest.
    site.front.edit = edit
    assert site.fetch(chunk=len(data)) is None
    site.front.edit = None
    assert site.fetch() == data


def test_the_old_file_is_replaced(site):
    site.board.write(PATH, b"old")
    data = content(5000)
    site.offer(data)
    assert site.fetch() == data


def test_a_refused_place_costs_no_byte(site):
    site.offer(content(100), "a\\b.bin")
    site.fetch(path="/files/")
    assert site.failure() == "Failed refused file name"
    assert site.front.parts == []


def test_a_directory_in_the_files_place_is_a_failure_that_leaves_nothing(site):
    site.board.write(PATH + "/inner", b"x")
    site.offer(content(100))
    site.prepare()
    site.finish()
    assert "Failed flash: " in site.failure()
    assert site.leftovers() == []
