"""Folders and files that come and go, and the room for them."""

import json
import os

from flash_files import delete, write

from flyve.jobs import files
from flyve.registry import Failed

BOARD = True


def test_a_size_tells_what_is_there():
    write("/sized", b"12345")
    assert files.size("/sized") == 5 and files.size("/lib") >= 0 and files.size("/none") == -1
    delete("/sized")


def test_all_folders_up_to_the_last_slash_are_made():
    for _ in range(2):
        files.mkdirs("/made/a/b/file")
        assert os.listdir("/made/a") == ["b"] and os.listdir("/made/a/b") == []
    files.mkdirs("/file")
    assert files.size("/file") == -1
    delete("/made")


def test_a_folder_goes_with_all_that_is_in_it():
    files.mkdirs("/gone/a/b/")
    write("/gone/1")
    write("/gone/a/b/2")
    delete("/gone")
    assert files.size("/gone") == -1
    delete("/gone")  # it need not be there


def test_what_hinders_a_deletion_is_not_passed_over():
    write("/plain")
    try:
        delete("/plain/below")
    except OSError as e:
        assert e.errno == 20  # ENOTDIR
    else:
        raise AssertionError("passed over")
    delete("/plain")


def test_what_is_free_is_counted_in_blocks():
    size, count, whole = files.free()
    assert (size, whole) == (4096, 512) and 0 < count < whole
    write("/large", bytes(3 * 4096))
    assert count - 4 <= files.free()[1] <= count - 3
    delete("/large")


def test_more_than_there_is_means_that_nothing_is_free():
    class Os:
        free = 0

        @classmethod
        def statvfs(cls, path):
            return 4096, 512, 100, cls.free, 7

    true, files.os = files.os, Os
    try:
        for Os.free, told in ((100, 100), (0, 0), (-1, 0), (101, 0), ((1 << 32) - 3, 0)):
            assert files.free() == (4096, told, 100)
    finally:
        files.os = true


def test_there_is_room_for_a_file_and_for_what_littlefs_needs_for_it():
    true, files.free = files.free, lambda: (4096, 12, 512)
    try:
        for left in (0, 6 * 4088, 8 * 4088 - 1):
            files.check_room(left)
        try:
            files.check_room(8 * 4088)
        except Failed as e:
            assert str(e) == "no space: 32704 bytes to come, 49152 free"
        else:
            raise AssertionError("taken")
    finally:
        files.free = true


def test_a_value_is_kept_without_a_byte_too_many():
    files.keep("/kept", {"a": [1, "x"], "b": None})
    with open("/kept", "rb") as f:
        assert json.loads(f.read()) == {"a": [1, "x"], "b": None}
    assert files.size("/kept") == len('{"a":[1,"x"],"b":null}')
    delete("/kept")
