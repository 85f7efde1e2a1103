"""OTA slots, as ESP-IDF and its boot loader handle them."""

import json

import pytest

from flyve_mdm.board import appimage
from flyve_mdm.board.board import VirtualBoard

STATE = """
    import machine
    from esp32 import Partition
    running = Partition(Partition.RUNNING).info()[4]
    print("running", running, "next", Partition(Partition.RUNNING).get_next_update().info()[4])
"""


IMAGE = appimage.build()


def padded(image=IMAGE):
    """The image in whole blocks, which are all that can be erased."""
    return bytes(image).ljust(-(-len(image) // 4096) * 4096, b"\xff")


def test_a_stock_table_has_no_slots(bench):
    run = bench.run(
        """
        from esp32 import Partition
        running = Partition(Partition.RUNNING)
        print(running.info())
        def attempt(what):
            try: what()
            except OSError as e: print(e)
        attempt(running.get_next_update)
        attempt(running.set_boot)
        attempt(Partition.mark_app_valid_cancel_rollback)
        attempt(lambda: Partition("none"))
        print([p.info()[4] for p in Partition.find(Partition.TYPE_DATA)])
        """
    )
    assert run.log[:6] == [
        "(0, 0, 65536, 2031616, 'factory', False)",
        "[Errno 2] ENOENT",
        "(-261, 'ESP_ERR_NOT_FOUND')",
        "(-261, 'ESP_ERR_NOT_FOUND')",
        "[Errno 2] ENOENT",
        "['nvs', 'phy_init', 'vfs']",
    ]


def test_a_new_slot_that_is_not_confirmed_rolls_back(bench):
    main = (
        STATE
        + """
    part = Partition(Partition.RUNNING).get_next_update()
    if machine.reset_cause() == 1:
        try: part.set_boot()
        except OSError as e: print(e)
        part.writeblocks(0, open("/image", "rb").read())
        part.set_boot()
    if running == "ota_1" or machine.reset_cause() == 1:
        machine.reset()
    """
    )
    board = bench.board(main, ota=True)
    board.write("/image", padded())
    run = bench.start(board)
    assert run.wait() == 0
    lines = [line for line in run.log if not line.startswith(("board", "flash"))]
    assert lines == [
        "running ota_0 next ota_1",
        "(-5379, 'ESP_ERR_OTA_VALIDATE_FAILED')",
        "running ota_1 next ota_0",
        "running ota_0 next ota_1",
    ]


def test_a_confirmed_slot_stays(bench):
    main = (
        STATE
        + """
    if running == "ota_0":
        part = Partition("ota_1")
        part.writeblocks(0, open("/image", "rb").read())
        part.set_boot()
        machine.reset()
    Partition.mark_app_valid_cancel_rollback()
    """
    )
    board = bench.board(main, ota=True)
    board.write("/image", padded())
    for first in ("ota_0", "ota_1"):  # also after a loss of power
        run = bench.start(board)
        assert run.wait() == 0
        assert run.log[0].startswith(f"running {first}")
        assert run.wait_log("running ota_1")


INSTALL = """
    from esp32 import Partition
    part = Partition(Partition.RUNNING).get_next_update()
    part.writeblocks(0, open("/image", "rb").read())
    try:
        part.set_boot()
    except OSError as e:
        print(e)
    print("boot", Partition(Partition.BOOT).info()[4])
"""


@pytest.mark.parametrize("damage", ["truncated", "bit", "checksum", "chip", "magic"])
def test_an_image_that_is_damaged_or_of_another_chip_is_not_accepted(bench, damage):
    image = bytearray(appimage.build(size=2000, chip=9 if damage == "chip" else 0))
    if damage == "truncated":
        del image[-40:]
    else:
        image[{"bit": 700, "checksum": -33, "chip": -1, "magic": 0}[damage]] ^= damage != "chip"
    board = bench.board(INSTALL, ota=True)
    board.write("/image", padded(image))
    run = bench.start(board)
    assert run.wait() == 0
    assert run.log[:2] == ["(-5379, 'ESP_ERR_OTA_VALIDATE_FAILED')", "boot ota_0"]


def test_an_image_that_crashes_at_once_is_rolled_back(bench):
    board = bench.board(INSTALL + "    import machine\n    machine.reset()", ota=True)
    board.write("/image", padded(appimage.build(appimage.CRASH)))
    run = bench.start(board)
    run.wait_log("boot ota_1")
    # It never came to main.py: what runs next is the old one, and tries again.
    assert run.wait_log("boot ota_1", since=2)
    assert set(run.resets) == {2}


def test_a_deaf_image_sees_no_access_point(bench):
    main = """
    import machine, network
    print("air", len(network.WLAN(network.STA_IF).scan()) if network.WLAN().active(True) else 0)
    if machine.reset_cause() == 1:
    """
    main += INSTALL.replace("\n", "\n    ") + "    machine.reset()"
    board = bench.board(main, ota=True)
    board.write("/image", padded(appimage.build(appimage.DEAF)))
    run = bench.start(board)
    assert run.wait() == 0
    assert [line for line in run.log if line.startswith("air")] == ["air 1", "air 0"]


ATTEMPTS = """
    from esp32 import Partition
    part = Partition("ota_1")
    size = part.info()[3]
    def attempt(what, *args):
        try: print(what(*args))
        except OSError as e: print(e)
"""


def attempts(bench, *calls, encrypted=False):
    """What each call says on a board with OTA slots."""
    board = bench.board(ATTEMPTS + "".join(f"    attempt({call})\n" for call in calls), ota=True)
    if encrypted:
        settings = board.path / "board.json"
        settings.write_text(json.dumps({**json.loads(settings.read_text()), "encrypted": True}))
        board = VirtualBoard(board.path)
    run = bench.start(board)
    run.wait()
    return [line for line in run.log if not line.startswith(("board", "flash"))]


def test_an_offset_writes_without_an_erase_and_of_any_size(bench):
    assert attempts(
        bench,
        "part.ioctl, 6, 3",
        "part.writeblocks, 3, b'abc', 5",
        "part.writeblocks, 3, b'def', 8",
        "lambda: [buf for buf in [bytearray(8)] if not part.readblocks(3, buf, 4)]",
    ) == ["0", "None", "None", r"[bytearray(b'\xffabcdef\xff')]"]


def test_what_leads_out_of_a_partition_is_refused_as_by_the_chip(bench):
    assert attempts(
        bench,
        "part.ioctl, 6, size // 4096",
        "part.ioctl, 6, size // 4096 + 1",
        "part.ioctl, 6, -1",
        "part.writeblocks, 0, b'ab', size - 1",
        "part.writeblocks, 0, b'ab', size + 1",
        "part.readblocks, 0, bytearray(2), size - 1",
        "part.writeblocks, 0, bytes(4095)",
    ) == [
        "(-260, 'ESP_ERR_INVALID_SIZE')",
        "(-258, 'ESP_ERR_INVALID_ARG')",
        "(-258, 'ESP_ERR_INVALID_ARG')",
        "(-260, 'ESP_ERR_INVALID_SIZE')",
        "(-258, 'ESP_ERR_INVALID_ARG')",
        "(-260, 'ESP_ERR_INVALID_SIZE')",
        "(-260, 'ESP_ERR_INVALID_SIZE')",
    ]


def test_an_encrypted_partition_takes_multiples_of_16_bytes(bench):
    assert attempts(
        bench,
        "part.ioctl, 6, 0",
        "part.writeblocks, 0, bytes(16), 8",
        "part.writeblocks, 0, bytes(24), 16",
        "part.writeblocks, 0, bytes(32), 16",
        encrypted=True,
    ) == ["0", "(-258, 'ESP_ERR_INVALID_ARG')", "(-260, 'ESP_ERR_INVALID_SIZE')", "None"]


@pytest.mark.parametrize("call", ["ioctl(6, 0)", "writeblocks(0, b'x' * 16, 0)"])
def test_who_writes_where_it_runs_is_ended(bench, call):
    main = """
    import machine
    from esp32 import Partition
    print("cause", machine.reset_cause())
    if machine.reset_cause() == 1:
        Partition(Partition.RUNNING).CALL
    """
    board = bench.board(main.replace("CALL", call), ota=True)
    before = (board.path / "ota_0.img").read_bytes()
    run = bench.start(board)
    assert run.wait() == 0
    assert run.log[0] == "cause 1" and run.log[1].startswith("abort() was called")
    assert "cause 2" in run.log
    assert (board.path / "ota_0.img").read_bytes() == before


@pytest.mark.parametrize("torn", [None, 4])
@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_a_cut_at_each_write_of_an_installation_starts_the_old_or_the_new(bench, cut, torn):
    board = bench.board(INSTALL, ota=True)
    board.write("/image", padded())
    assert bench.start(board, cut_after=cut, torn=torn).wait() == 75
    board.write("/main.py", STATE.replace("    ", ""))
    run = bench.start(board)
    run.wait()
    assert run.wait_log("running ota_0")
