"""The file of tasks: remembered, replaced, and damaged lines passed over."""

import os

from flyve import files

BOARD = True  # the file is at the root


def task(number, status="done", value="x"):
    return [number, "deployfile", "agent", 1234, status, value]


def blank(*known):
    for path in (files.PATH, "/tasks.new"):
        try:
            os.remove(path)
        except OSError:
            pass
    for one in known:
        files.put(one)


def test_without_a_file_there_are_no_tasks():
    blank()
    assert list(files.tasks()) == []
    assert files.task(0, 1) is None


def test_what_was_put_is_found_again():
    blank(task(1), task("2", value='a"b\n'))
    assert files.task(0, 1) == task(1)
    assert files.task(0, "2") == task("2", value='a"b\n')


def test_the_oldest_task_with_all_wanted_values_is_found():
    blank(task(1, "failed"), task(2), task(3))
    assert files.task(1, "deployfile", 4, "done") == task(2)
    assert files.task(4, "done", 0, 3) == task(3)
    assert files.task(4, "failed", 0, 3) is None


def test_a_task_takes_the_place_of_one_with_its_id():
    blank(task(1, "trial"), task(2), task(1, "failed"))
    assert list(files.tasks()) == [task(2), task(1, "failed")]


def test_rewrite_drops_what_it_is_told_to():
    blank(task(1), task(2), task(3))
    files.rewrite([2])
    assert list(files.tasks()) == [task(1), task(3)]


def test_a_damaged_line_is_passed_over():
    blank(task(1))
    for line in ("", '[2, "depl', "\xff\x00", "{}", "3", "null", '"text"', "[]", "[4, 5]"):
        with open(files.PATH, "a") as f:
            f.write(line + "\n")
    files.put(task(9))
    assert list(files.tasks()) == [task(1), task(9)]


def test_bytes_that_are_no_text_are_passed_over():
    blank(task(1))
    with open(files.PATH, "ab") as f:
        f.write(b"\xff\xfe\x80\n")
    files.put(task(9))
    assert list(files.tasks()) == [task(1), task(9)]


def test_the_oldest_go_when_there_are_too_many():
    blank(*(task(n) for n in range(130)))
    ids = [one[0] for one in files.tasks()]
    assert ids == list(range(2, 130))


def test_a_search_leaves_no_file_open():
    # A collection would close it, maybe in the middle of another operation of littlefs.
    blank(task(1), task(2))
    opened = []

    def spy(*how):
        opened.append(open(*how))
        return opened[-1]

    files.open = spy
    try:
        assert files.task(0, 1) == task(1)
    finally:
        del files.open
    try:
        opened[0].read(1)
    except (OSError, ValueError):
        return
    raise AssertionError("the file is open")


# A15
def test_a_name_is_as_long_as_its_bytes_allow():
    assert files.segment("\U0001f600" * 63) == "\U0001f600" * 63
    open("/" + "\U0001f600" * 63, "w").close()
    os.remove("/" + "\U0001f600" * 63)
    try:
        files.segment("\U0001f600" * 64)
    except files.Failed as e:
        assert str(e) == "refused file name"
    else:
        raise AssertionError("accepted")
