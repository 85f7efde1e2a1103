"""What boot.py does where others have filled NVS, and in safe mode."""

import pytest

from flyve_mdm.board import appimage
from flyve_mdm.build import firmware
from host_tests.kit.packages import entry, fill_nvs

SHOW = "import sys\nprint('path:' + sys.path[0])\n"
RESET = "import machine\nif machine.reset_cause() == 1:\n    machine.reset()\n"


def paths(bench, made, script=SHOW, starts=1):
    """What is first on the path at each of the starts."""
    made.write("/main.py", firmware.follow(script))
    run = bench.start(made)
    if starts == 1:
        run.wait_log("^path:")
    else:
        run.wait_log("^board: reset")
        run.wait_log("^path:", since=run.log.index("board: reset"))
    run.kill()
    return [line[5:] for line in run.log if line.startswith("path:")]


# A31
@pytest.mark.parametrize("update", [1, 2])
def test_the_slot_in_use_runs_though_nvs_is_full(bench, update):
    made = bench.board()
    made.change(entries={("flyve", "update"): update})
    fill_nvs(made)
    assert paths(bench, made, SHOW + RESET, 2) == ["/flyve." + "?ab"[update]] * 2


# A31
def test_a_trial_that_cannot_be_counted_does_not_begin(bench):
    made = bench.board()
    made.change(entries={("flyve", "update"): 1 | 2 << 2})
    fill_nvs(made)
    assert paths(bench, made) == ["/flyve.a"]


# A31
def test_a_crash_that_cannot_be_counted_brings_safe_mode(bench):
    tell = "from flyve.jobs import update\nprint('safe', update.safe_mode())\n"
    made = bench.board(RESET + tell)
    fill_nvs(made)
    lines = bench.lines(made)
    assert "safe True" in lines


def crashing(bench, update, whole=True):
    made = bench.board()
    files = {"/flyve.a/flyve/agent.mpy": b"x"} if whole else None
    made.change(files, {("flyve", "update"): update, ("flyve", "crashes"): 7})
    return made, paths(bench, made, SHOW + RESET, 2)


B_BEFORE_IT_A = 2 | 2 << 16
A_BEFORE_IT_THE_BASE = 1 | 1 << 16


# A24
def test_a_slot_that_crashes_in_safe_mode_gives_way_to_the_one_before(bench):
    made, lines = crashing(bench, B_BEFORE_IT_A)
    assert lines == ["/flyve.b", "/flyve.a"]
    assert (entry(made, "update"), entry(made, "crashes")) == (1 | 128, 0)
    made, lines = crashing(bench, A_BEFORE_IT_THE_BASE)
    assert lines == ["/flyve.a", ""]


# A24
def test_it_gives_way_once_and_only_to_a_slot_that_is_whole(bench):
    for update, whole in ((2, True), (B_BEFORE_IT_A, False), (1 | 128, True)):
        made, lines = crashing(bench, update, whole)
        assert lines[0] == lines[1], (update, whole)


OTHER, FALLEN, OTA_1 = 1 << 18, 1 << 19, 17 << 8
# From power on: the other slot gets its image, then the board crashes as often as it is told.
CRASHES = """
import machine
from esp32 import NVS, Partition
from flyve.jobs import update
running = Partition(Partition.RUNNING)
print("runs", running.info()[4], update.status())
left = NVS("test")
if machine.reset_cause() == 1:
    with open("/image", "rb") as f:
        running.get_next_update().writeblocks(0, f.read())
    left.set_i32("left", COUNT)
CONFIRM
if left.get_i32("left"):
    left.set_i32("left", left.get_i32("left") - 1)
    machine.reset()
print("rests")
"""


def falling(bench, count, image=None, confirm="", update=OTHER):
    """A confirmed image that has crashed seven times crashes `count` times more: what ran."""
    image = image or appimage.build()
    made = bench.board(ota=True)
    script = CRASHES.replace("COUNT", str(count)).replace("CONFIRM", confirm)
    made.change(
        {"/main.py": firmware.follow(script).encode(),
         "/image": bytes(image).ljust(-(-len(image) // 4096) * 4096, b"\xff")},
        {("flyve", "update"): update, ("flyve", "crashes"): 7},
    )  # fmt: skip
    run = bench.start(made)
    run.wait_log("^rests$", 20)
    run.kill()
    return made, [line[5:] for line in run.log if line.startswith("runs ")]


# A24
def test_an_image_that_crashes_in_safe_mode_gives_way_to_the_one_before(bench):
    made, lines = falling(bench, 1)
    assert lines == ["ota_0 None", "ota_1 trial"]
    assert (entry(made, "update"), entry(made, "crashes")) == (OTA_1 | FALLEN, 0)


# A24
def test_images_that_both_crash_are_not_started_back_and_forth(bench):
    made, lines = falling(bench, 12)
    assert lines[:3] == ["ota_0 None", "ota_1 trial", "ota_0 failed"]
    assert set(lines[3:]) == {"ota_0 failed"}
    made, lines = falling(bench, 12, confirm="update.confirm()")
    assert lines[:2] == ["ota_0 None", "ota_1 trial"]
    assert set(lines[2:]) == {"ota_1 confirmed"}
    assert not entry(made, "update") & OTHER


# A24
def test_an_image_does_not_give_way_to_one_that_is_damaged_or_was_not_there(bench):
    damaged = bytearray(appimage.build())
    damaged[-40] ^= 1
    for image, update in ((damaged, OTHER), (None, 0)):
        made, lines = falling(bench, 3, image, update=update)
        assert set(lines) == {"ota_0 None"}
        assert entry(made, "update") == 0


# A24
def test_a_slot_goes_before_the_other_image(bench):
    made, lines = falling(bench, 1, update=OTHER | 1 | 1 << 16)
    assert lines == ["ota_0 None", "ota_0 failed"]
    assert entry(made, "update") == 128


def version(text, build=848534400):
    return f'VERSION = "{text}-esp32"\nBUILD = {build}\n'.encode()


# A28
@pytest.mark.parametrize(
    "place, older, newer",
    [("/flyve.a", "1.9.9", "2.0.1"), ("/flyve.a", "2.0.0", "10.0.0"), ("/lib", "2.0.0", "2.0.1")],
)
def test_the_newer_of_two_agents_runs(bench, place, older, newer):
    slot = place != "/lib"
    for text, wins in ((older, slot and older == "2.0.0"), (newer, True)):
        made = bench.board()
        made.change({f"{place}/flyve/__init__.py": version(text)})
        made.change(entries={("flyve", "update"): int(slot)})
        assert (paths(bench, made) == [place]) == wins, text
        assert entry(made, "update") == int(slot and wins)


# A28
def test_an_older_agent_that_was_installed_on_purpose_stays_until_the_base_changes(bench):
    made = bench.board()
    made.change({"/flyve.a/flyve/__init__.py": version("1.9.9")}, {("flyve", "update"): 1 << 2})
    assert paths(bench, made) == ["/flyve.a"]
    made.change(entries={("flyve", "update"): 1})
    assert paths(bench, made) == ["/flyve.a"]
    made.change({"/flyve/__init__.py": version("2.0.1"), "/flyve/__init__.mpy": None})
    assert paths(bench, made) == [""]


# A28
def test_a_slot_that_has_lost_is_removed(bench):
    made = bench.board("from flyve.jobs import startup\nstartup.prepare()\n")
    made.change(
        {f"/{slot}/flyve/__init__.py": version("1.9.9") for slot in ("flyve.a", "flyve.b")},
        {("flyve", "update"): 1},
    )
    lines = bench.lines(made)
    assert any("/flyve.a is out of use: removed" in line for line in lines)
    assert not any(path.startswith("/flyve.") for path, _ in made.files())
