"""What is kept in NVS, by its key."""

from flyve import board
from flyve.jobs import nvs

BOARD = True

TOO_LONG = "k" * 16  # of a key: NVS itself refuses it


def errno(call, *args):
    try:
        call(*args)
    except OSError as e:
        return e.errno
    return None


def test_a_blob_of_any_size_is_read_back():
    for size in (0, 1, 127, 128, 129, 2048, 2049, 4096):
        blob = bytes([size & 255]) * size
        nvs.put("blob", blob)
        assert nvs.get("blob") == blob, size


def test_a_blob_of_more_than_4_kib_is_an_error():
    nvs.put("blob", bytes(4097))
    assert errno(nvs.get, "blob") == -0x110C


def test_what_is_not_there_is_none():
    assert nvs.get("absent") is None and nvs.get_int("absent") is None


def test_an_integer_is_read_back():
    for value in (0, 1, -1, 0x7FFFFFFF):
        nvs.put_int("number", value)
        assert nvs.get_int("number") == value


def test_a_key_that_is_erased_is_not_there_and_need_not_have_been():
    nvs.put("blob", b"secret")
    for _ in range(2):
        nvs.erase("blob")
        assert nvs.get("blob") is None


def test_other_errors_of_nvs_are_not_passed_over():
    for call in (nvs.get, nvs.get_int, nvs.erase):
        assert errno(call, TOO_LONG) == -4361, call


class _Counted:
    """NVS that counts its commits."""

    commits = 0

    def __init__(self, nvs):
        self._nvs = nvs

    def __getattr__(self, name):
        if name == "commit":
            _Counted.commits += 1
        return getattr(self._nvs, name)


def test_each_change_is_committed():
    true = board.nvs
    board.nvs = lambda: _Counted(true())
    try:
        for call in (
            lambda: nvs.put("blob", b"x"),
            lambda: nvs.put_int("number", 1),
            lambda: nvs.erase("blob"),
        ):
            _Counted.commits = 0
            call()
            assert _Counted.commits == 1
    finally:
        board.nvs = true
