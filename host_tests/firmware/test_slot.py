"""A firmware image on its way into the OTA slot: whole, refused, or begun anew."""

import json
import re
import struct
import zlib

import pytest

from flyve_mdm.board import appimage
from flyve_mdm.board.board import VirtualBoard
from host_tests.firmware.depot import sha256
from host_tests.kit.packages import boot_slot, entry
from host_tests.kit.sample import content

BLOCK = 4096
IMAGE = appimage.build("new", size=200_000)
SLOT = 0x180000
BEFORE = b"\x5a" * SLOT  # what is in the slot of an image before
RUNNING = appimage.build().ljust(SLOT, b"\xff")


@pytest.fixture
def depot(make_depot):
    """A depot whose board has OTA slots, and on its filesystem no room for an image."""
    depot = make_depot("updater")
    (depot.board.path / "ota_1.img").write_bytes(BEFORE)
    free = depot.board.path.joinpath("flash.img").stat().st_size
    free -= sum(-(-size // BLOCK) * BLOCK for _, size in depot.board.files())
    assert 0 < free < len(IMAGE)
    yield depot
    assert depot.slot("ota_0") == RUNNING, "what runs is never touched"


def refused(depot, image, **params):
    """What the board says why it does not take an image; nothing of it is left then."""
    depot.update(image, **params)
    assert depot.leftovers() == []
    assert boot_slot(depot.board) == "ota_0"
    return depot.failure()


def test_an_image_streams_into_the_slot_and_starts(depot):
    log = depot.update(IMAGE)
    assert depot.done() == [("ota_1", len(IMAGE), sha256(IMAGE))]
    assert depot.slot()[: len(IMAGE)] == IMAGE
    assert log[log.index("installed") :][:4] == [
        "installed", "board: reset", "runs ota_1", "update confirmed",
    ]  # fmt: skip
    assert depot.leftovers() == []
    assert boot_slot(depot.board) == "ota_1"


def test_what_is_behind_the_image_stays_as_it_was_up_to_its_block(depot):
    depot.update(IMAGE)
    end = -(-len(IMAGE) // BLOCK) * BLOCK
    assert depot.slot()[len(IMAGE) : end].strip(b"\xff") == b""
    assert depot.slot()[end:] == BEFORE[end:]


def test_each_block_is_erased_once_and_hardly_more_is_programmed_than_comes(depot):
    depot.update(IMAGE, restart=False)
    assert depot.run.wear.programmed <= 1.02 * len(IMAGE)
    assert depot.run.wear.erases <= 1.1 * len(IMAGE) / BLOCK


@pytest.mark.parametrize("extra", [1, 15, 16, 700, 4090])
def test_an_encrypted_flash_takes_multiples_of_16_bytes(depot, extra):
    settings = depot.board.path / "board.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "encrypted": True}))
    depot.board = VirtualBoard(depot.board.path)
    image = IMAGE + content(extra)
    depot.front.edit = lambda request, answer: (
        request.bytes_wanted and request.begin == 0 and answer.cut_body(77_777)
    )
    depot.update(image, attempts=2)
    assert depot.slot()[: len(image)] == image
    assert "update confirmed" in depot.log


def test_a_connection_that_breaks_off_costs_less_than_16_bytes(depot):
    cuts = [512, 2047, 2048, 4095, 4096, 5000, 60_001, 199_980]
    due = list(cuts)

    def edit(request, answer):
        here = [place for place in due if request.begin <= place < (request.end or 0)]
        if request.bytes_wanted and here:
            due.remove(here[0])
            answer.cut_body(here[0] - request.begin)

    depot.front.edit = edit
    depot.update(IMAGE, attempts=10)
    assert due == []
    assert depot.slot()[: len(IMAGE)] == IMAGE
    sent = sum(part.sent for part in depot.front.parts)
    assert sent - len(IMAGE) < 16 * len(cuts)
    assert depot.log.count("failed") == 0


def test_a_server_that_sends_a_few_bytes_at_a_time_is_given_up_in_the_end(depot):
    depot.front.edit = lambda request, answer: request.bytes_wanted and answer.cut_body(200)
    depot.update(IMAGE)
    assert depot.failure() == f"Failed the server does not send byte 0 of {len(IMAGE)}"
    assert depot.slot() == BEFORE


@pytest.mark.parametrize("size", [512, 700, 1001])
def test_requests_of_any_length_fill_it(depot, size):
    image = appimage.build("odd", size=5000) + b"\0"
    image += bytes(-(len(image) - 1) % 512)
    assert len(image) % 512 == 1  # so that the last request would be of one byte
    depot.update(image, chunk=size)
    assert depot.slot()[: len(image)] == image
    assert "update confirmed" in depot.log


def test_a_backend_that_does_not_tell_the_size(make_depot):
    depot = make_depot("updater", file_size=False)
    break_off(depot)
    depot.finish()
    assert depot.slot()[: len(IMAGE)] == IMAGE
    assert "update confirmed" in depot.log


def test_a_silent_server_loses_nothing_that_has_come(depot):
    def edit(request, answer):
        if request.bytes_wanted:
            answer.cut_body(max(0, 100_000 - request.begin))
            answer.hold = True

    depot.front.edit = edit
    depot.update(IMAGE, idle_ms=300, attempts=1)
    assert "NetError" in depot.failure()
    assert depot.leftovers() == ["/part.json", "/part.slot"]
    depot.front.edit = None
    depot.front.requests.clear()
    depot.finish()
    assert depot.log[1].endswith(f"download: goes on at byte 98304 of {len(IMAGE)}")
    assert [part.begin for part in depot.front.parts] == [98_304]
    assert depot.slot()[: len(IMAGE)] == IMAGE


def break_off(depot, image=IMAGE, at=100_000, **params):
    """Lets the server fail in the middle of an image, for good."""

    def edit(request, answer):
        if request.bytes_wanted and request.begin:
            answer.status = "503 Service Unavailable"
        elif request.bytes_wanted:
            answer.cut_body(at)

    depot.front.edit = edit
    depot.update(image, **params)
    assert depot.leftovers() == ["/part.json", "/part.slot"]
    depot.front.edit = None


def test_another_version_in_the_middle_begins_anew(depot):
    other = appimage.build("other", size=150_000)

    def edit(request, answer):
        if request.bytes_wanted and request.begin == 0 and depot.file.data == IMAGE:
            answer.cut_body(90_000)
            depot.file.data = other
            depot.file.modified += 60

    depot.front.edit = edit
    depot.update(IMAGE)
    assert any("changed on the server: now" in line for line in depot.log)
    assert depot.done() == [("ota_1", len(other), sha256(other))]
    assert depot.slot()[: len(other)] == other


def test_another_version_of_the_same_size_after_a_cut_begins_anew(depot):
    other = appimage.build("other", size=200_000)
    assert len(other) == len(IMAGE)
    break_off(depot)
    depot.file.data = other
    depot.file.modified += 60
    depot.finish()
    assert any("changed on the server: now" in line for line in depot.log)
    assert depot.slot()[: len(other)] == other


def test_what_somebody_else_has_put_into_the_slot_is_not_gone_on_with(depot):
    break_off(depot)
    data = bytearray(depot.slot())
    data[50_000] ^= 1
    (depot.board.path / "ota_1.img").write_bytes(data)
    depot.finish()
    assert any("the OTA partition has changed: it starts over" in line for line in depot.log)
    assert depot.slot()[: len(IMAGE)] == IMAGE
    assert "update confirmed" in depot.log


def test_an_image_that_was_whole_before_a_cut_is_not_fetched_again(depot):
    break_off(depot)
    # As after a cut just before the installation.
    depot.board.write("/part.slot", f"17 {len(IMAGE)} {zlib.crc32(IMAGE)}")
    (depot.board.path / "ota_1.img").write_bytes(IMAGE.ljust(SLOT, b"\xff"))
    depot.front.requests.clear()
    depot.finish()
    assert depot.front.parts == []
    assert "update confirmed" in depot.log


def test_a_flash_that_does_not_keep_what_it_was_given_is_noticed(depot):
    depot.file = depot.backend.tasks.add_package(IMAGE, "firmware", "firmware.bin")

    def edit(request, answer):
        # By the last request the beginning of the image is on the flash.
        if request.bytes_wanted and request.begin:
            with (depot.board.path / "ota_1.img").open("r+b") as file:
                file.seek(10_000)
                file.write(b"\0\0\0\0")

    depot.front.edit = edit
    assert refused(depot, IMAGE, chunk=65536) == "Failed flash error"
    assert depot.slot()[:BLOCK] == b"\xff" * BLOCK


OTHER_CHIP = appimage.build(chip=9)
WHOLE_FLASH = IMAGE[:32] + struct.pack("<I", 0) + IMAGE[36:]
AT_ONCE = {
    "Incompatible image for another chip": OTHER_CHIP,
    "Failed no application image (.app-bin)": WHOLE_FLASH,
    "Failed no application image (.app-bin) ": b"\xe9\1",
    "Failed no application image (.app-bin)  ": b"\xe9" * 287,
    f"Failed image too big: {SLOT + 16} bytes, {SLOT} in the slot": IMAGE.ljust(SLOT + 16),
}


@pytest.mark.parametrize("why", AT_ONCE)
def test_what_its_first_bytes_tell_is_refused_before_anything_is_erased(depot, why):
    assert refused(depot, AT_ONCE[why]) == why.rstrip()
    assert depot.slot() == BEFORE
    assert len(depot.front.parts) <= 1


@pytest.mark.parametrize(
    "image",
    [IMAGE[:200] + b"\xff" + IMAGE[201:], IMAGE[:-40], IMAGE[:-1] + bytes([IMAGE[-1] ^ 1])],
    ids=["damaged", "truncated", "wrong hash"],
)
def test_what_the_boot_loader_would_not_start_is_no_image_any_more(depot, image):
    assert refused(depot, image) == "Failed damaged image"
    assert depot.slot()[:BLOCK] == b"\xff" * BLOCK
    assert entry(depot.board, "update") == 0


def test_an_image_of_the_size_of_the_slot_fits(depot):
    image = appimage.build("full", size=SLOT)
    image += bytes(SLOT - len(image))
    depot.update(image)
    assert depot.slot()[: len(image)] == image
    assert "update confirmed" in depot.log


def test_a_board_without_slots_takes_no_image(make_depot):
    depot = make_depot()
    depot.update(IMAGE)
    assert depot.failure() == "Incompatible no OTA partition"
    assert depot.leftovers() == []


def test_an_update_on_trial_comes_first(depot):
    trial = 1 << 2 | 1 << 4  # slot a, started once
    depot.board.change(entries={("flyve", "update"): trial})
    assert refused(depot, IMAGE, on_trial=True) == "Failed an update is on trial"
    assert depot.slot() == BEFORE


@pytest.mark.exact
def test_what_is_no_image_is_a_file_as_ever(depot):
    data = b"# an application\n" * 300
    depot.file = depot.backend.tasks.add_package(data, "one", "one.py")
    depot.prepare(**depot.firmware)
    depot.finish()
    assert depot.done() == [("/apps.new", len(data), sha256(data))]
    assert depot.stored("/apps.new") == data
    assert depot.slot() == BEFORE


def test_what_is_no_image_and_does_not_fit_is_refused_at_its_first_bytes(depot):
    assert re.fullmatch(
        r"Failed no space: 300000 bytes to come, \d+ free", refused(depot, content(300_000, 1))
    )
    assert sum(part.sent for part in depot.front.parts) < 300_000 or depot.front.parts


@pytest.mark.exact
def test_another_file_gives_up_the_image_that_has_begun(depot):
    break_off(depot)
    depot.offer(b"another file")
    depot.prepare()
    depot.finish()
    assert depot.stored() == b"another file"
    assert depot.leftovers() == []
    assert depot.slot()[:BLOCK] == b"\xff" * BLOCK
    assert depot.slot()[BLOCK : 2 * BLOCK] == IMAGE[BLOCK : 2 * BLOCK]


def test_nothing_falls_back_to_what_is_overwritten(depot):
    fallback = 1 << 18  # of "other"
    depot.board.change(entries={("flyve", "update"): fallback})
    break_off(depot)
    assert entry(depot.board, "update") == 0
