# The file of tasks is never left open: an abandoned one is closed by a collection, and that may
# come in the middle of another operation of littlefs, whose lists it then breaks.

from flyve import tasks

BOARD = True


def test_a_search_that_finds_leaves_no_file_open():
    for i in range(3):
        tasks.put([str(i), "symbol", "agent", i, "done", None])
    opened = []

    def spy(*how):
        opened.append(open(*how))
        return opened[-1]

    tasks.open = spy
    try:
        assert tasks.find("0")[tasks.DIGEST] == 0
    finally:
        del tasks.open
    try:
        opened[0].read(1)
    except (OSError, ValueError):
        return
    raise AssertionError("the file is open")
