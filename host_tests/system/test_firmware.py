"""A firmware update on a chip of 4 MiB: the image is larger than the filesystem's free room."""

import pytest

from flyve_mdm.board import appimage
from flyve_mdm.board.life import EXIT_CUT
from host_tests.kit.packages import boot_slot, entry
from host_tests.kit.sample import sample

pytestmark = pytest.mark.virtual  # images that only a virtual board starts

FLASH = 704 << 10  # the filesystem of our tables for 4 MiB
BLOCK = 4096
IMAGE = appimage.build("new", size=1_300_000)
TWICE = 16384
SHORT = appimage.build("short", size=60_000)
WRITES = range(1, 80)  # up to its first start, of a short one
TORN = pytest.mark.parametrize("torn", [None, 7], ids=["whole", "torn"])


@pytest.fixture
def board(make_device):
    """A board of 4 MiB that is online; its update has three seconds to come online."""
    return make_device(flash_size=FLASH, ota=True).go_online(trial=3)


def deploy(device, image=IMAGE):
    return device.backend.tasks.deploy_app(17, image, "firmware")


def slot(device):
    return (device.board.path / "ota_1.img").read_bytes()


def note(device):
    """How much of an image the board has noted, -1 when nothing."""
    try:
        return int(device.board.read("/part.slot").split()[1])
    except FileNotFoundError:
        return -1


def reads(device):
    """(first byte, length) of each request for bytes of the image."""
    found = [event.detail for event in device.backend.events.of("file read")]
    return [(detail["begin"], detail["length"]) for detail in found]


def half_way(device):
    """Begins an update and cuts the power in its middle; returns the task."""
    device.run.kill()
    task = deploy(device)
    device.start(cut_after=600)
    assert device.run.wait(30) == EXIT_CUT
    assert note(device) > 10 * BLOCK
    return task


def test_an_image_larger_than_the_filesystem_is_installed(board):
    task = deploy(board)
    board.ends(task, "done", timeout=40)
    assert board.history(task) == ["pending", "received", "waiting", "done"]
    board.run.kill()
    assert boot_slot(board.board) == "ota_1"
    assert slot(board)[: len(IMAGE)] == IMAGE
    assert not [path for path, _ in board.board.files() if path.startswith(("/part", "/apps.new"))]


def test_after_power_cuts_it_goes_on_and_little_comes_twice(board):
    board.run.kill()
    task = deploy(board)
    for cut in sample("firmware", range(200, 500), 2):
        board.start(cut_after=cut)
        assert board.run.wait(30) == EXIT_CUT
        noted = note(board)
        there = len(slot(board).rstrip(b"\xff"))
        assert 0 < noted <= there <= noted + TWICE
    before = len(reads(board))
    board.start()
    board.ends(task, "done", timeout=40)
    assert reads(board)[before][0] == noted
    board.run.wait_log(rf"download: goes on at byte {noted} of {len(IMAGE)}")
    board.run.kill()
    assert slot(board)[: len(IMAGE)] == IMAGE


def test_a_ping_is_answered_while_an_image_streams(board):
    board.backend.fault("PluginFlyvemdmPackage", "trickle", step=16384, seconds=0.02)
    task = deploy(board)
    assert board.backend.wait_for(lambda: reads(board), 10)
    assert board.backend.admin.ping(17, wait=2)
    assert board.history(task)[-1] == "waiting"
    board.ends(task, "done", timeout=40)


def test_a_backend_that_fails_in_the_middle_costs_no_progress(make_device):
    board = make_device(flash_size=FLASH, ota=True).go_online(trial=3, chunk=65536)
    board.backend.fault("PluginFlyvemdmPackage", "trickle", step=16384, seconds=0.05)
    task = deploy(board)
    assert board.backend.wait_for(lambda: len(reads(board)) > 3, 20)
    board.backend.options.faults.clear()
    board.backend.fault("PluginFlyvemdmPackage", "error", status=503)
    board.run.wait_log("next try of task", 30)
    board.backend.options.faults.clear()
    board.run.wait_log("download: goes on at byte [0-9]{6}", 30)
    board.ends(task, "done", timeout=40)


def test_another_file_in_between_gives_the_image_up_and_it_comes_whole_all_the_same(board):
    task = half_way(board)
    other = board.backend.tasks.deploy_file(17, b"x" * 3000, name="small")
    fault = board.backend.fault("PluginFlyvemdmPackage", "error", status=503)
    board.start()
    board.ends(other, "done", timeout=30)
    assert note(board) == -1
    assert slot(board)[:BLOCK] == b"\xff" * BLOCK
    board.backend.options.faults.remove(fault)
    board.ends(task, "done", timeout=60)


def test_a_new_image_in_the_middle_takes_the_place_of_the_old_one(board):
    task = half_way(board)
    other = appimage.build("other", size=900_000)
    board.backend.tasks.update_file(board.backend.state.packages[1], other)
    board.start()
    board.ends(task, "done", timeout=40)
    board.run.kill()
    assert slot(board)[: len(other)] == other


def test_an_unenrollment_in_the_middle_leaves_no_image(board):
    half_way(board)
    board.backend.admin.unenroll(17, wait=0)
    board.start()
    board.run.wait_log("agent: waiting for a deeplink", 30)
    board.run.kill()
    assert note(board) == -1
    assert slot(board)[:BLOCK] == b"\xff" * BLOCK
    assert boot_slot(board.board) == "ota_0"
    assert entry(board.board, "update") == 0


def wiped(device):
    device.run.wait_log("setup: network .* is open", 40)
    device.run.kill()
    assert note(device) == -1
    assert boot_slot(device.board) == "ota_0"


def test_a_wipe_in_the_middle_leaves_nothing_of_the_image(board):
    half_way(board)
    board.backend.admin.wipe(17)
    board.start()
    wiped(board)
    assert slot(board).strip(b"\xff") == b""


def test_a_wipe_leaves_an_image_that_has_run(board):
    board.ends(deploy(board), "done", timeout=40)
    board.run.wait_log("policies: update confirmed")
    board.backend.admin.wipe(17)
    board.run.wait_log("setup: network .* is open", 40)
    board.run.kill()
    assert boot_slot(board.board) == "ota_1"
    old = (board.board.path / "ota_0.img").read_bytes()
    assert old.startswith(appimage.build())


def test_power_cuts_in_a_wipe_leave_nothing_of_the_image(board):
    half_way(board)
    board.board.write("/wiping", b"")
    for cut in sample("wipe", range(1, 380), 2):
        board.start(cut_after=cut)
        assert board.run.wait(30) == EXIT_CUT
    board.start()
    wiped(board)
    assert slot(board).strip(b"\xff") == b""


@pytest.mark.parametrize("bad", [IMAGE[:900_000], IMAGE[:-1] + b"\0"], ids=["truncated", "hash"])
def test_a_bad_image_fails_with_the_reason_and_the_old_one_stays(board, bad):
    task = deploy(board, bad)
    board.ends(task, "failed", timeout=40)
    board.run.wait_log(rf"task {task.id} deployapp: damaged image")
    assert board.backend.admin.ping(17, wait=5)
    board.run.kill()
    assert boot_slot(board.board) == "ota_0"
    assert slot(board)[:BLOCK] == b"\xff" * BLOCK


def test_an_image_larger_than_its_slot_fails_at_its_first_bytes(board):
    task = deploy(board, IMAGE.ljust(2_000_000, b"\0"))
    board.ends(task, "failed")
    board.run.wait_log(r"image too big: 2000000 bytes, 1572864 in the slot")
    board.run.kill()
    assert slot(board).strip(b"\xff") == b""


def cut_one(make_device, place, torn):
    """One update whose power fails at that write."""
    device = make_device(flash_size=FLASH, ota=True).go_online(trial=3)
    device.run.kill()
    running = (device.board.path / "ota_0.img").read_bytes()
    task = device.backend.tasks.deploy_app(17, SHORT, "firmware")
    device.start(cut_after=place, torn=torn)
    assert device.run.wait(40) == EXIT_CUT
    assert (device.board.path / "ota_0.img").read_bytes() == running
    device.start()
    row = device.backend.state.status_of(task, device.backend.admin.agent(17))
    assert device.backend.wait_for(lambda: row.history[-1] in ("done", "failed"), 40)
    # What loses its power on trial is taken back.
    log = [line for run in device.runs for line in run.log]
    if row.history[-1] == "failed":
        assert any("download: done" in line for line in log), (place, log)
    device.run.kill()
    wanted = "ota_1" if row.history[-1] == "done" else "ota_0"
    assert boot_slot(device.board) == wanted, (place, log)
    if wanted == "ota_1":
        assert slot(device)[: len(SHORT)] == SHORT
    assert (device.board.path / "ota_0.img").read_bytes() == running


@TORN
def test_the_power_fails_at_a_write_of_a_firmware_task(make_device, torn):
    for place in sample(f"task {torn}", WRITES, 2):
        cut_one(make_device, place, torn)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@TORN
@pytest.mark.parametrize("place", WRITES)
def test_the_power_fails_at_any_write_of_a_firmware_task(make_device, place, torn):
    cut_one(make_device, place, torn)
