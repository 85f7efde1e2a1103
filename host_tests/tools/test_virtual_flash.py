"""The flash: both sides read it, it is NOR, and a cut leaves the old or the new file."""

import hashlib
import textwrap

import pytest

from flyve_mdm.board import image

RENAME_OVER = """
    import os
    with open("/f.new", "wb") as f:
        f.write(b"new" * 400)
    os.rename("/f.new", "/f")
    print("renamed")
"""
OLD, NEW = b"old" * 400, b"new" * 400


@pytest.fixture
def renamer(bench):
    board = bench.board(RENAME_OVER)
    board.write("/f", OLD)
    return board


def test_host_and_board_read_each_other(bench):
    board = bench.board(
        """
        import os
        print(os.listdir("/"), open("/a/b/host").read())
        os.mkdir("/c")
        with open("/c/board", "wb") as f: f.write(bytes(range(256)) * 40)
        os.rename("/a/b/host", "/moved")
        """
    )
    board.write("/a/b/host", "from the host")
    run = bench.start(board)
    assert run.wait() == 0
    assert run.log[0] == "['a', 'main.py'] from the host"
    assert board.read("/c/board") == bytes(range(256)) * 40
    assert board.read("/moved") == b"from the host"
    assert [path for path, _ in board.files()] == ["/c/board", "/main.py", "/moved"]
    board.write("/c/board", b"short")
    board.remove("/moved")
    assert dict(board.files())["/c/board"] == 5
    with pytest.raises(FileNotFoundError):
        board.read("/moved")


def test_a_full_flash_is_said_and_changes_nothing(bench):
    board = bench.board("pass")
    with pytest.raises(image.ImageError, match="full"):
        board.write("/big", bytes(300_000))
    assert [path for path, _ in board.files()] == ["/main.py"]


def test_the_count_is_the_same_in_each_run(bench, renamer):
    counts = set()
    for _ in range(3):
        run = bench.start(bench.copy(renamer))
        assert run.wait() == 0
        assert run.log[-1] == f"flash ops={run.flash_ops}"
        counts.add((run.wear, hashlib.sha256(renamer.read("/main.py")).digest()))
    assert len(counts) == 1
    wear = counts.pop()[0]
    assert wear.ops == wear.programs + wear.erases > 5
    assert wear.programmed >= len(NEW)


@pytest.mark.parametrize("torn", [None, 17])
def test_a_cut_at_each_operation_leaves_the_old_or_the_new_file(bench, renamer, torn):
    ops = bench.start(bench.copy(renamer))
    ops.wait()
    seen = []
    for n in range(1, ops.flash_ops + 1):
        board = bench.copy(renamer)
        run = bench.start(board, cut_after=n, torn=torn)
        assert run.wait() == 75, run.log
        assert run.flash_ops == n
        assert run.log[-2:] == ["board: power cut", f"flash ops={n}"]
        seen.append(board.read("/f"))
        assert seen[-1] in (OLD, NEW)
    assert seen == sorted(seen, reverse=True), "once new, always new"
    board = bench.copy(renamer)
    assert bench.start(board, cut_after=ops.flash_ops + 1).wait() == 0
    assert board.read("/f") == NEW


def test_the_board_boots_from_what_a_cut_left(bench, renamer):
    for n in (2, 5):
        board = bench.copy(renamer)
        bench.start(board, cut_after=n, torn=40).wait()
        assert bench.start(board).wait() == 0
        assert board.read("/f") == NEW


def test_nothing_of_the_firmware_runs_after_a_cut(bench):
    run = bench.run(
        """
        try:
            with open("/x", "w") as f: f.write("x" * 500)
        except BaseException as e: print("except", e)
        finally: print("finally")
        """,
        cut_after=2,
    )
    assert run.log == ["board: power cut", "flash ops=2"]


def test_operations_count_on_over_a_reset(bench):
    run = bench.run(
        """
        import machine
        open("/x", "w").close()
        machine.reset()
        """,
        cut_after=10,
    )
    assert len(run.resets) > 2
    assert run.flash_ops == 10


def test_a_program_cannot_set_bits(bench):
    run = bench.run(
        """
        import esp32
        vfs = esp32.Partition("vfs")
        blocks = vfs.ioctl(4, 0)
        vfs.ioctl(6, blocks - 1)
        vfs.writeblocks(blocks - 1, b"\\x0f" * 200, 8)
        vfs.writeblocks(blocks - 1, b"\\x05" * 200, 8)
        buf = bytearray(4)
        vfs.readblocks(blocks - 1, buf, 206)
        print(buf)
        try: vfs.writeblocks(blocks - 1, b"\\x05" * 150 + b"\\x0f", 8)
        except OSError as e: print(e.errno)
        """
    )
    assert run.log[0] == r"bytearray(b'\x05\x05\xff\xff')"
    assert run.log[1].startswith("flash: a program at ")
    assert run.log[2] == "5"


def test_a_blank_chip_is_formatted_and_a_corrupted_one_is_not(bench):
    board = bench.board()
    size = (board.path / "flash.img").stat().st_size
    (board.path / "flash.img").write_bytes(b"\xff" * size)
    assert bench.start(board).wait() == 0
    assert board.files() == []
    (board.path / "flash.img").write_bytes(b"\x55" * size)
    run = bench.start(board)
    assert run.wait() == 1
    assert run.log[0] == "The filesystem appears to be corrupted."


def test_a_wipe_erases_the_raw_image(bench):
    board = bench.board(
        """
        import esp32
        for label in ("nvs", "vfs"):
            part = esp32.Partition.find(esp32.Partition.TYPE_DATA, label=label)[0]
            for block in range(part.ioctl(4, 0)):
                part.ioctl(6, block)
        """
    )
    board.nvs_set("flyve", "key", b"secret value")
    board.write("/secret", b"secret file")
    assert bench.start(board).wait() == 0
    for name in ("flash.img", "nvs.bin"):
        assert not (board.path / name).read_bytes().strip(b"\xff")
    assert board.nvs() == []


READS = """
    import esp32, machine
    vfs = esp32.Partition("vfs")
    buf = bytearray(40)
    before = machine.flash_reads()
    for _ in range(%d):
        vfs.readblocks(1, buf, 8)
    print("counted", machine.flash_reads() - before)
"""


def test_each_read_of_flash_is_counted_and_the_pieces_that_it_is(bench):
    none, many = (bench.run(READS % n) for n in (0, 50))
    assert "counted 0" in none.log and "counted 50" in many.log
    assert many.wear.reads == none.wear.reads + 50, (many.wear, none.wear)
    assert many.wear.pieces == none.wear.pieces + 2 * 50
    assert not [line for line in many.log if "flash reads" in line]


def test_reads_count_on_over_a_reset_and_those_of_nvs_do_not_count(bench):
    script = """
        import esp32, machine
        nvs = esp32.NVS("x")
        if machine.reset_cause() == 1:
            machine.reset()
        before = machine.flash_reads()
        nvs.set_i32("n", 1)
        nvs.get_i32("n")
        print("before", before, machine.flash_reads() - before)
        """
    run = bench.run(script)
    before, nvs = map(int, run.wait_log(r"before (\d+) (\d+)").groups())
    assert before > run.wear.reads / 2 and nvs == 0


def test_a_read_takes_its_time_and_the_end_tells_their_number(bench):
    script = "import time\nstart = time.ticks_us()\n" + textwrap.dedent(READS % 50)
    script += "print('took', time.ticks_diff(time.ticks_us(), start))"
    run = bench.run(script, read_us=1000)
    assert int(run.wait_log(r"took (\d+)")[1]) >= 50_000
    assert run.log[-2:] == [f"flash reads={run.wear.reads}", "flash ops=0"]
