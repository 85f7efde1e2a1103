"""The file of tasks: remembered, replaced, and damaged lines passed over."""

import os

from flyve import registry
from flyve.jobs import files, packages, paths, tasks

BOARD = True  # the file is at the root


def task(number, status="done", value="x"):
    return tasks.make(number, "deployfile", "agent", 1234, status, value)


def blank(*known):
    for path in (tasks.PATH, "/tasks.new"):
        try:
            os.remove(path)
        except OSError:
            pass
    for one in known:
        tasks.put(one)


def test_without_a_file_there_are_no_tasks():
    blank()
    assert list(tasks.tasks()) == []
    assert tasks.find(id=1) is None


def test_what_was_put_is_found_again():
    blank(task(1), task("2", value='a"b\n'))
    assert tasks.find(id=1) == task(1)
    assert tasks.find(id="2") == task("2", value='a"b\n')


def test_the_oldest_task_with_all_wanted_values_is_found():
    blank(task(1, "failed"), task(2), task(3))
    assert tasks.find(symbol="deployfile", status="done") == task(2)
    assert tasks.find(status="done", id=3) == task(3)
    assert tasks.find(status="failed", id=3) is None


def test_a_task_takes_the_place_of_one_with_its_id():
    blank(task(1, "trial"), task(2), task(1, "failed"))
    assert list(tasks.tasks()) == [task(2), task(1, "failed")]


def test_rewrite_drops_what_it_is_told_to():
    blank(task(1), task(2), task(3))
    tasks.rewrite([2])
    assert list(tasks.tasks()) == [task(1), task(3)]


def test_a_damaged_line_is_passed_over():
    blank(task(1))
    for line in ("", '[2, "depl', "\xff\x00", "{}", "3", "null", '"text"', "[]", "[4, 5]"):
        with open(tasks.PATH, "a") as f:
            f.write(line + "\n")
    tasks.put(task(9))
    assert list(tasks.tasks()) == [task(1), task(9)]


def test_bytes_that_are_no_text_are_passed_over():
    blank(task(1))
    with open(tasks.PATH, "ab") as f:
        f.write(b"\xff\xfe\x80\n")
    tasks.put(task(9))
    assert list(tasks.tasks()) == [task(1), task(9)]


# A27
def test_there_is_room_for_any_number_of_tasks():
    blank(*(task(n) for n in range(300)))
    assert [one["id"] for one in tasks.tasks()] == list(range(300))
    tasks.put(task(7, "failed"))
    tasks.rewrite([299])
    ids = [one["id"] for one in tasks.tasks()]
    assert ids == list(range(7)) + list(range(8, 299)) + [7]


# A27
def test_a_flash_that_is_full_keeps_the_tasks_that_it_has():
    blank(*(task(n) for n in range(120)))
    os.mkdir("/full")
    count = 0
    for size in (65536, 4000):
        try:
            while True:
                with open("/full/%d" % count, "w") as f:
                    f.write("x" * size)
                count += 1
        except OSError:
            pass
    try:
        assert not tasks.room(), (os.statvfs("/"), count)
        try:
            tasks.put(task(7, "failed"))
        except OSError:
            assert [one["id"] for one in tasks.tasks()] == list(range(120))
            assert files.size("/tasks.new") < 0
        else:
            raise AssertionError("it took a task without room")
    finally:
        for name in os.listdir("/full"):
            os.remove("/full/" + name)
    assert tasks.room()


# A30
def test_the_tasks_of_another_enrollment_are_none_of_ours():
    registry.belong(5)
    try:
        blank(task(1), task(2))
        registry.belong(6)
        assert list(tasks.tasks()) == [] and tasks.find(id=1) is None
        assert tasks.some(0) == ([], None)
        tasks.put(task(3))
        assert list(tasks.tasks()) == [task(3)]
        registry.belong(5)
        assert list(tasks.tasks()) == []
    finally:
        registry.belong(None)


# A30
def test_a_file_of_an_older_agent_is_taken_over():
    blank(task(1), task(2))
    registry.belong(5)
    try:
        assert list(tasks.tasks()) == [task(1), task(2)]
        tasks.put(task(3))
        tasks.put(task(1, "failed"))
        registry.belong(6)
        assert list(tasks.tasks()) == []
    finally:
        registry.belong(None)


def test_the_tasks_are_read_some_at_a_time():
    blank(*(task(n) for n in range(20)))
    place, counts = 0, []
    while place is not None:
        found, place = tasks.some(place)
        counts.append(len(found))
    assert counts == [8, 8, 4]


def test_a_search_leaves_no_file_open():
    # A collection would close it, maybe in the middle of another operation of littlefs.
    blank(task(1), task(2))
    opened = []

    def spy(*how):
        opened.append(open(*how))
        return opened[-1]

    tasks.open = spy
    try:
        assert tasks.find(id=1) == task(1)
    finally:
        del tasks.open
    try:
        opened[0].read(1)
    except (OSError, ValueError):
        return
    raise AssertionError("the file is open")


# A15
def test_a_name_is_as_long_as_its_bytes_allow():
    assert paths.segment("\U0001f600" * 63) == "\U0001f600" * 63
    open("/" + "\U0001f600" * 63, "w").close()
    os.remove("/" + "\U0001f600" * 63)
    try:
        paths.segment("\U0001f600" * 64)
    except paths.Failed as e:
        assert str(e) == "refused file name"
    else:
        raise AssertionError("accepted")


# A8
def test_a_line_of_brackets_or_without_an_end_takes_no_memory():
    for junk in (b"[" * 1900, b'{"a":' * 400, b"[" * 60000, b'"' + b"x" * 60000):
        blank()
        for before in (b"", b'{"owner":' + junk + b"\n"):
            with open(tasks.PATH, "wb") as f:
                f.write(before + b'["1","x","agent",1,"done",0]\n' + junk + b"\n")
            assert len(list(tasks.tasks())) == 1, len(junk)
            tasks.put(task(9))
            assert tasks.find(id=9) == task(9) and tasks.find(id="1")


# A27
def test_a_task_that_could_not_be_read_again_does_not_make_the_file_grow():
    blank(task(1))
    size = files.size(tasks.PATH)
    for symbol in ("x" * 4000, "[" * 300):
        tasks.put(tasks.make("7", symbol, "agent", 1, "incompatible", 0))
    assert files.size(tasks.PATH) == size


# A32
def test_a_flash_that_counts_more_blocks_than_it_has_is_full():
    class Wrapped:
        def statvfs(self, path):
            st = os.statvfs(path)
            return st[:3] + (left, left) + st[5:]

        def stat(self, path):
            return os.stat(path)

        def drop(self, name):
            pass

    files.os = Wrapped()
    try:
        for left in (-2, (1 << 32) - 2, (1 << 31) - 1):  # noqa: B007
            assert files.free()[1] == 0 and not tasks.room()
            assert packages._free() == 0
            try:
                files.check_room(1)
            except paths.Failed as e:
                assert str(e) == "no space: 1 bytes to come, 0 free"
            else:
                raise AssertionError("it took a file without room")
    finally:
        files.os = os
