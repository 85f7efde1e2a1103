"""NVS: its errors, what a cut leaves, and the log that holds it."""

import random

import pytest

from flyve_mdm.board import nvs

ERRORS = """
    import esp32
    n = esp32.NVS("test")

    def attempt(what, *args):
        try: print(what(*args))
        except OSError as e: print(e.errno, e.args[1])

    attempt(n.get_i32, "none")
    attempt(n.get_blob, "none", bytearray(9))
    attempt(n.erase_key, "none")
    attempt(n.set_i32, "k" * 16, 1)
    attempt(esp32.NVS, "n" * 16)
    attempt(n.set_i32, "", 1)
    n.set_i32("int", -7)
    n.set_blob("blob", b"12345")
    attempt(n.get_i32, "int")
    attempt(n.get_i32, "blob")
    attempt(n.get_blob, "int", bytearray(9))
    attempt(n.get_blob, "blob", bytearray(4))
    attempt(n.get_blob, "blob", bytearray(9))
    attempt(n.set_blob, "big", bytes(13000))
    attempt(esp32.NVS("other").get_i32, "int")
    n.set_blob("int", memoryview(b"now a blob"))
    buf = bytearray(20)
    attempt(n.get_blob, "int", buf)
    print(buf)
    n.set_blob("empty", b"")
    attempt(n.get_blob, "empty", bytearray(1))
    n.erase_key("blob")
    attempt(n.get_blob, "blob", bytearray(9))
    attempt(n.erase_key, "blob")
    try: n.set_i32("int", 1 << 31)
    except OverflowError: print("overflow")
    n.commit()
"""
EXPECTED = r"""
-4354 ESP_ERR_NVS_NOT_FOUND
-4354 ESP_ERR_NVS_NOT_FOUND
-4354 ESP_ERR_NVS_NOT_FOUND
-4361 ESP_ERR_NVS_KEY_TOO_LONG
-4361 ESP_ERR_NVS_KEY_TOO_LONG
-4358 ESP_ERR_NVS_INVALID_NAME
-7
-4354 ESP_ERR_NVS_NOT_FOUND
-4354 ESP_ERR_NVS_NOT_FOUND
-4364 ESP_ERR_NVS_INVALID_LENGTH
5
-4357 ESP_ERR_NVS_NOT_ENOUGH_SPACE
-4354 ESP_ERR_NVS_NOT_FOUND
10
bytearray(b'now a blob\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00')
0
-4354 ESP_ERR_NVS_NOT_FOUND
-4354 ESP_ERR_NVS_NOT_FOUND
overflow
"""


@pytest.mark.parametrize("mode", ["eager", "lazy"])
def test_errors_and_values_are_those_of_the_real_module(bench, mode):
    board = bench.board(ERRORS)
    run = bench.start(board, nvs=mode)
    assert run.wait() == 0
    assert run.log[: EXPECTED.count("\n") - 1] == EXPECTED.strip().splitlines()
    assert board.nvs() == [("test", "empty", "blob", b""), ("test", "int", "blob", b"now a blob")]


def test_host_and_board_read_each_other(bench):
    board = bench.board(
        """
        import esp32
        n = esp32.NVS("flyve")
        buf = bytearray(10)
        print(n.get_blob("host", buf), n.get_i32("number"))
        n.set_i32("number", -2)
        n.commit()
        """
    )
    board.nvs_set("flyve", "host", b"abc")
    board.nvs_set("flyve", "number", 5)
    run = bench.start(board)
    run.wait_log("3 5")
    run.wait()
    assert board.nvs() == [("flyve", "host", "blob", b"abc"), ("flyve", "number", "i32", -2)]


WRITES = """
    import esp32
    n = esp32.NVS("t")
    n.set_i32("a", 2)
    n.set_blob("b", b"new" * 20)
    try: n.erase_key("c")
    except OSError: pass  # when it runs again
    print("set")
    n.commit()
    print("committed")
"""
# What the entries are after each prefix of those three operations.
PREFIXES = [
    {"a": 1, "b": b"old" * 20, "c": 3},
    {"a": 2, "b": b"old" * 20, "c": 3},
    {"a": 2, "b": b"new" * 20, "c": 3},
    {"a": 2, "b": b"new" * 20},
]


@pytest.fixture
def written(bench):
    board = bench.board(WRITES)
    for key, value in PREFIXES[0].items():
        board.nvs_set("t", key, value)
    return board


def entries(board):
    return {key: value for _, key, _, value in board.nvs()}


@pytest.mark.parametrize("torn", [None, 1, 39, 60])
@pytest.mark.parametrize("mode", ["eager", "lazy"])
def test_a_cut_leaves_a_prefix_of_the_operations(bench, written, mode, torn):
    for n in (1, 2, 3):
        board = bench.copy(written)
        run = bench.start(board, nvs=mode, cut_after=n, torn=torn)
        assert run.wait() == 75
        assert ("set" in run.log) == (mode == "lazy")
        # 60 bytes of an integer's entry are all of it but padding.
        assert entries(board) in PREFIXES[n - 1 : n + (torn == 60)]
        assert bench.start(board).wait() == 0, "a torn entry is in nobody's way"
        assert entries(board) == PREFIXES[3]


@pytest.mark.parametrize(("mode", "left"), [("eager", PREFIXES[3]), ("lazy", PREFIXES[0])])
def test_without_commit_the_mode_decides(bench, written, mode, left):
    main = WRITES.replace("n.commit()", "import machine; machine.reset()")
    written.write("/main.py", "\n".join(line.strip() for line in main.splitlines()))
    run = bench.start(written, nvs=mode, once=True)
    run.wait()
    assert entries(written) == left


def test_an_entry_is_one_operation_and_an_equal_value_none(bench):
    run = bench.run(
        """
        import esp32
        n = esp32.NVS("t")
        n.set_blob("k", b"v" * 500)
        n.set_blob("k", b"v" * 500)
        n.set_i32("i", 1)
        n.set_i32("i", 1)
        n.commit()
        """
    )
    # Two entries and the header that a blank partition gets.
    assert run.wear.nvs == run.flash_ops == 3


def test_erased_values_stay_in_the_image_until_it_is_compacted(tmp_path):
    entries = nvs.Entries(b"\xff" * 24576)
    entries.set("n", "secret", b"my passphrase")
    entries.erase("n", "secret")
    assert entries.list() == []
    assert b"my passphrase" in entries.image()
    entries.compact()
    assert b"my passphrase" not in entries.image()


class _PowerFails(Exception):
    pass


class _Chip:
    """NOR flash in memory whose power fails in the middle of one operation."""

    def __init__(self, data, last=None, torn=0):
        self.data, self.size = bytearray(data), len(data)
        self.left, self.torn = last, torn

    def read(self, address, buf):
        buf[:] = self.data[address : address + len(buf)]

    def program(self, address, buf):
        old = self.data[address : address + len(buf)]
        assert all(new & ~was == 0 for was, new in zip(old, buf, strict=True)), "bits set"
        self._apply(address, bytes(buf))

    def erase(self, block):
        self._apply(block * 4096, b"\xff" * 4096)

    def _apply(self, address, data):
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                data = data[: self.torn]
                self.data[address : address + len(data)] = data
                raise _PowerFails
        self.data[address : address + len(data)] = data


def _read_all(data):
    return {(ns, key): value for ns, key, _, value in nvs.Entries(bytes(data)).list()}


@pytest.mark.parametrize("seed", range(8))
def test_any_cut_leaves_a_prefix_also_while_the_log_is_compacted(seed):
    """Random operations that fill the log; a cut at each operation, torn at random."""
    rng = random.Random(seed)
    chip = _Chip(b"\xff" * 16384)
    store, model, compactions = nvs.store.Store(chip), {}, 0
    for _ in range(120):
        key = f"k{rng.randrange(6)}"
        name = nvs.store.name("n", key)
        before = bytes(chip.data), dict(model)
        if rng.random() < 0.2 and ("n", key) in model:
            change = (store.erase, name)
            del model["n", key]
        else:
            value = bytes([rng.randrange(1, 256)]) * rng.randrange(0, 400)
            change = (store.put, name, nvs.store.BLOB, value)
            model["n", key] = value
        ops = _cut_everywhere(rng, before, model, change)
        compactions += ops > 2
        change[0](*change[1:])
        assert _read_all(chip.data) == model
    assert compactions > 1


def _cut_everywhere(rng, before, model, change):
    method, *args = change[0].__name__, *change[1:]
    n = 1
    while True:
        chip = _Chip(before[0], n, rng.randrange(0, 600))
        try:
            getattr(nvs.store.Store(chip), method)(*args)
            return n - 1
        except _PowerFails:
            assert _read_all(chip.data) in (before[1], model)
        again = _Chip(chip.data)
        store = nvs.store.Store(again)
        try:
            getattr(store, method)(*args)
        except OSError as error:
            assert method == "erase" and error.errno == -0x1102, error  # it was durable already
        assert _read_all(again.data) == model
        n += 1
