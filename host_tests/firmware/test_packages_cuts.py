"""The power fails at a write of an installation, a removal, an update: the old or the new one.

A board of these tests has a small agent of its own, with the firmware's modules: it installs what
is staged, restarts into it, confirms what is good, and tells how an update has ended."""

import pytest

from flyve_mdm.board import appimage
from flyve_mdm.board.life import EXIT_CUT
from host_tests.kit.packages import (
    AGENT,
    STAGED,
    agent_archive,
    agent_bundle,
    applications,
    tar,
)
from host_tests.kit.sample import sample

TORN = pytest.mark.parametrize("torn", [None, 7], ids=["whole", "torn"])

FIRST = {"app.py": b"# first\n", "data": b"1" * 5000}
SECOND = {"app.py": b"# second\n", "lib/helper.py": b"# helper\n", "data": b"2" * 9000}
THIRD = {"app.py": b"# third\n"}
OTHER = {"app.py": b"# other\n"}

# The file after STAGED in the folder: littlefs hides it when a cut leaves STAGED half moved to
# another folder, up to the next write.
NEXT = "/zz"

# The paths of all that is below /apps, folders too.
TREE = """
import os
def walk(path):
    for name in os.listdir(path):
        path_ = path + "/" + name
        print("tree", path_)
        if os.stat(path_)[0] & 0x4000:
            walk(path_)
walk("/apps")
"""
REMOVE = "from flyve.jobs import packages\nrun(packages.remove('one'))"

# what is done -> (what is staged for it, script, applications before, applications after)
STEPS = {
    "bundle": (tar(SECOND), "install('one', '2')", {}, {"one": SECOND}),
    "module": (b"# single\n", "install('one', '2')", {}, {"one": {"app.py": b"# single\n"}}),
    "newer bundle": (tar(SECOND), "install('one', '2')", {"one": FIRST}, {"one": SECOND}),
    "same version": (tar(SECOND), "install('one', '1')", {"one": FIRST}, {"one": SECOND}),
    "removal": (None, REMOVE, {"one": FIRST}, {}),
}


def applied(bench, step):
    """A board as it is before the step, with another application that has no part in it."""
    staged, script, before, after = STEPS[step]
    board = bench.board(staged=tar(OTHER))
    bench.lines(board, "install('other', '1')")
    if "one" in before:
        board.write(STAGED, tar(before["one"]))
        bench.lines(board, "install('one', '1')")
    if staged is not None:
        board.write(STAGED, staged)
    board.write(NEXT, b"next")
    bench.script(board, script)
    return board, {**before, "other": OTHER}, {**after, "other": OTHER}


def cut_one(bench, board, torn, place, old, new):
    cut = bench.copy(board)
    assert bench.start(cut, cut_after=place, torn=torn).wait(20) == EXIT_CUT, place
    assert applications(cut) in (old, new), place
    assert cut.read(NEXT) == b"next", place
    cut.write(STAGED, tar(THIRD))
    lines = bench.lines(cut, "install('one', '3')" + TREE)
    found = applications(cut)
    assert found == {"one": THIRD, "other": OTHER}, (place, lines)
    # Beside what is current, only the version before it may be there.
    kept = {line.split()[1] for line in lines if line.startswith("tree ")}
    folders = {path for path in kept if path.count("/") == 3}
    named = {
        path.replace(".current", folder)
        for path in folders
        if path.endswith("/.current")
        for folder in cut.read(path).decode().split()
    }
    assert {path for path in folders if not path.endswith("/.current")} == named, place
    bench.scrap(cut)


def sweep_step(bench, step, torn, choose):
    board, old, new = applied(bench, step)
    run = bench.start(bench.copy(board))
    run.wait(20)
    for place in choose(range(1, run.flash_ops + 1)):
        cut_one(bench, board, torn, place, old, new)


@TORN
@pytest.mark.parametrize("step", STEPS)
def test_the_power_fails_at_a_write_of_an_application(bench, step, torn):
    # The last dozen is where the old one and the new one change places.
    def choose(places):
        return {*sample(f"{step} {torn}", places, 2), *sample(step, places[-12:], 2)}

    sweep_step(bench, step, torn, choose)


# A41
def test_the_power_fails_at_any_write_of_a_module(bench):
    sweep_step(bench, "module", None, list)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@TORN
@pytest.mark.parametrize("step", STEPS)
def test_the_power_fails_at_any_write_of_an_application(bench, step, torn):
    sweep_step(bench, step, torn, list)


AGENT_SOURCE = """
import machine
import os
from flyve import board, log, registry
from flyve.jobs import board_facts, packages, update

NAME, GOOD, PACKAGE = %r

def main():
    name = NAME + " in " + board_facts.running().info()[4]
    print("works:", name)
    status = update.status()
    if status == "trial":
        bad = board_facts.running().info()[4] == BAD_SLOT and "good" not in os.listdir("/")
        if bad or not GOOD:
            machine.reset()
        update.confirm()
        status = update.status()
    if status:
        print("update", status)
        update.forget()
    elif "staged" in os.listdir("/"):
        place = "/staged"
        if PACKAGE == "firmware":
            # As if it had just streamed into the slot.
            place = board_facts.running().get_next_update()
            with open("/staged", "rb") as f:
                place.writeblocks(0, f.read())
        for _ in packages.install(place, PACKAGE, "2"):
            pass
        if PACKAGE == "firmware":
            os.remove("/staged")
        machine.reset()
    print("end:", name)

BAD_SLOT = %r
"""
UPDATES = (
    # Three agents fill the flash of a board with slots.
    pytest.param("agent", marks=pytest.mark.exact),
    "image",
    pytest.param("bad agent", marks=pytest.mark.exact),
    "bad image",
    "crashing image",
)


def updating(bench, kind):
    """A board that installs an update at its start; how that ends, and a good update after it."""
    is_agent, good = "agent" in kind, kind in ("agent", "image")
    name = AGENT if is_agent else "firmware"
    bad_slot = "ota_1" if kind == "bad image" else ""
    old = AGENT_SOURCE % (("old", True, name), bad_slot)
    if is_agent:
        staged = agent_bundle(agent=AGENT_SOURCE % (("new", good, name), ""))
        following = agent_bundle(agent=AGENT_SOURCE % (("next", True, name), ""))
    else:
        project = appimage.CRASH if kind == "crashing image" else "new"
        staged = appimage.build(project, size=9000).ljust(12288, b"\xff")
        following = appimage.build("next", size=9000).ljust(12288, b"\xff")
    board = bench.board(ota=not is_agent, staged=staged)
    main = b"from flyve.agent import main\n\nmain()\n"
    board.change({"/flyve/agent.mpy": agent_archive(agent=old), "/main.py": main})
    slot = "factory" if is_agent else "ota_1" if good else "ota_0"
    end = f"end: {'new' if is_agent and good else 'old'} in {slot}"
    return board, (end, "update confirmed" if good else "update failed"), following


def ended(run):
    """Waits until an agent has come to its end, and switches the board off."""
    line = run.wait_log("^end: ", 25).string
    run.kill()
    return line


def cut_update(bench, board, torn, place, wanted, following):
    end, status = wanted
    cut = bench.copy(board)
    run = bench.start(cut, cut_after=place, torn=torn)
    assert run.wait(25) == EXIT_CUT, place
    log = list(run.log)
    run = bench.start(cut)
    found = ended(run)
    log += run.log
    # The boot loader takes back what loses its power before it is confirmed: the old one again.
    rolled_back = ("end: old in ota_0", "update failed")
    assert any(e == found and s in log for e, s in (wanted, rolled_back)), (place, log)
    assert "factory" not in end or found == end, (place, log)
    cut.change({STAGED: following, "/good": b""})
    run = bench.start(cut)
    last = ended(run)
    assert "update confirmed" in run.log, (place, run.log)
    assert last.startswith("end: next" if "factory" in end else "end: old in ota_"), run.log
    bench.scrap(cut)


def sweep_update(bench, kind, torn, choose):
    board, wanted, following = updating(bench, kind)
    run = bench.start(bench.copy(board))
    assert ended(run) == wanted[0]
    assert wanted[1] in run.log
    for place in choose(range(1, run.flash_ops + 1)):
        cut_update(bench, board, torn, place, wanted, following)


@TORN
@pytest.mark.parametrize("kind", UPDATES)
def test_the_power_fails_at_a_write_of_an_update(bench, kind, torn):
    def choose(places):
        return {*sample(f"{kind} {torn}", places, 1), *sample(kind, places[-12:], 2)}

    sweep_update(bench, kind, torn, choose)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@TORN
@pytest.mark.parametrize("kind", UPDATES)
def test_the_power_fails_at_any_write_of_an_update(bench, kind, torn):
    # Up to its first start a bad agent is a good one.
    begin = -60 if kind == "bad agent" else 0
    sweep_update(bench, kind, torn, lambda places: places[begin:])
