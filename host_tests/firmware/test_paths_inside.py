"""Places of files: which are refused, and what is made, found and removed at them."""

import json
import os
import sys

from flash_files import delete, write

from flyve.jobs import paths
from flyve.registry import Failed

BOARD = True

JOURNAL = "/part.json"


def refused(call, *args):
    try:
        call(*args)
    except Failed as e:
        return str(e)
    raise AssertionError("accepted: %r" % (args,))


def test_a_name_is_one_segment_of_a_path():
    for name in ("a", "a.txt", "...", ".hidden", "a b", "\xe4" * 64, "x" * 64, "\u20ac" * 64):
        assert paths.segment(name) == name
    for name in ("", ".", "..", "a/b", "a\\b", "100%", "a\0", "a\r", "a\n", "x" * 65):
        assert refused(paths.segment, name) == "refused file name", name


def test_a_name_has_at_most_255_bytes():
    assert paths.segment("\U0001f600" * 63 + "\u20ac")
    refused(paths.segment, "\U0001f600" * 64)


def test_each_root_has_its_folder():
    for place, path in (
        ("%SDCARD%/a", "/files/a"),
        ("%SDCARD%/", "/files/"),
        ("%DOCUMENTS%/a/b", "/files/documents/a/b"),
        ("%PHOTOS%/a", "/files/photos/a"),
        ("%MUSIC%/a/", "/files/music/a/"),
        ("/files/a", "/files/a"),
    ):
        assert paths.resolve(place) == path
    assert paths.resolve("%APPS%/a", {"APPS": "/apps"}) == "/apps/a"


def test_what_is_no_place_is_refused_by_name():
    for place, why in (
        ("%NOWHERE%/a", "unknown root in %NOWHERE%/a"),
        ("%SDCARD/a", "unknown root in %SDCARD/a"),
        ("%" + "x" * 90, "unknown root in %" + "x" * 63),
        ("%SDCARD%", "refused path"),
        ("%SDCARD%a", "refused path"),
        ("", "path outside the roots"),
        ("/files", "path outside the roots"),
        ("/filesystem/a", "path outside the roots"),
        ("/main.py", "path outside the roots"),
        ("files/a", "path outside the roots"),
        ("/files/../main.py", "refused file name"),
        ("%SDCARD%//a", "refused file name"),
        ("%SDCARD%/a//", "refused file name"),
        ("%SDCARD%/./", "refused file name"),
        ("%SDCARD%/%part", "refused file name"),
    ):
        assert refused(paths.resolve, place) == why, place


def test_a_path_has_at_most_160_characters():
    place = "/files/" + "a/" * 76 + "b"
    assert len(place) == 160 and paths.resolve(place) == place
    assert refused(paths.resolve, place + "b") == "path too long"


def test_a_file_comes_in_the_folder_where_it_is_to_be():
    assert paths.part("/files/a/b.bin") == paths.part("/files/a/") == "/files/a/%part"
    assert paths.part("/apps.new") == "/%part"


def test_the_journal_tells_which_file_comes():
    delete(JOURNAL)
    assert paths.coming() == "/"
    write(JOURNAL, json.dumps({"file": ["PluginFlyvemdmFile/1", "/files/a", {}]}).encode())
    assert paths.coming() == "/files/a"
    assert "flyve.jobs.texts" not in sys.modules


def test_a_damaged_journal_tells_of_none():
    for text in (b"", b"\xff", b"{", b"[]", b"5", b"{}", b'{"file": []}', b'{"file": ["a", 1]}',
                 b'{"file": ["a", null]}', b'{"file": 3}', b" " * 8193):  # fmt: skip
        write(JOURNAL, text)
        assert paths.coming() == "/", text
    delete(JOURNAL)


def test_a_journal_that_cannot_be_read_tells_of_none():
    os.mkdir(JOURNAL)
    assert paths.coming() == "/"
    delete(JOURNAL)
