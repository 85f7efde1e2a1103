"""Files that are in the way of the agent: removed, or named at each start."""

import re

import pytest

LOOK = "from flyve.jobs import startup\nstartup.strays()\n"
SAID = re.compile(r"ERROR agent: (\S+) hides a module that the agent uses: remove it$")


def named(bench, **files):
    board = bench.board(LOOK)
    board.change({path.replace("__", "/"): data for path, data in files.items()})
    return [m[1] for m in map(SAID.search, bench.lines(board)) if m]


def files(*paths):
    return {path.replace("/", "__"): b"" for path in paths}


# A32
def test_what_hides_a_module_of_the_agents_is_named_at_each_start(bench):
    hiding = (
        "/urequests.py",
        "/umqtt/simple.py",
        "/random.mpy",
        "/errno/x",
        "/lib/urequests.py",
        "/lib/umqtt/simple.py",
    )
    found = named(bench, **files(*hiding))
    expected = {re.sub(r"^(/umqtt|/errno)/.*", r"\1/", path) for path in hiding}
    assert set(found) == expected and len(found) == len(hiding)


# A32
@pytest.mark.parametrize(
    "names",
    [
        (),
        ("/urequests", "/lib/time.py", "/mine.py", "/files/urequests.py", "/apps/a/1/umqtt.py"),
        ("/flyve/log.py", "/flyve/jobs/config.py"),  # their modules are in the archive
    ],
)
def test_what_hides_nothing_is_not_named(bench, names):
    assert named(bench, **files(*names)) == []


# A32
def test_a_slot_is_found_before_what_lies_at_the_root(bench):
    board = bench.board(LOOK)
    tree = {p: board.read(p) for p, _ in board.files() if p.startswith(("/flyve/", "/lib/"))}
    board.change({"/flyve.a" + path: data for path, data in tree.items()})
    board.change({"/urequests.py": b"", "/flyve.a/lib/urequests.py": b""})
    board.nvs_set("flyve", "update", 1)
    found = [m[1] for m in map(SAID.search, bench.lines(board)) if m]
    assert found == ["/flyve.a/lib/urequests.py"]


# A32
def test_the_rest_of_a_cut_deployment_is_removed_at_the_next_start(bench):
    board = bench.board(LOOK)
    board.write("/deploy.part", b"flyve://register?data=secret")
    lines = bench.lines(board)
    assert lines[0].endswith("WARN agent: /deploy.part of a cut deployment: removed")
    assert "/deploy.part" not in dict(board.files())
