"""agent.mpy, the archive that all of the agent's modules are imported from: what comes out of it,
how often it makes littlefs read the flash, and what happens where it is damaged."""

import hashlib

import pytest

from flyve_mdm import ROOT
from flyve_mdm.build import archive, firmware
from host_tests.kit.packages import entry, mpy

BUDGET = 400  # reads of flash for an import on demand
LOOSE = firmware.modules(firmware.TREE) / "flyve"
NAMES = sorted(p.relative_to(LOOSE).with_suffix("").as_posix() for p in LOOSE.rglob("*.mpy"))
JOBS = [name[5:] for name in NAMES if name.startswith("jobs/") and "__" not in name]


def packed():
    return (firmware.TREE / firmware.ARCHIVE).read_bytes()


@pytest.mark.exact
def test_each_module_comes_out_of_the_archive(bench):
    modules = {name: data for name, data in archive.unpack(packed()).items() if name in NAMES}
    assert modules.keys() == set(NAMES) - {"__init__"}
    sizes = {name: len(data) for name, data in modules.items()}
    script = f"""
import binascii, hashlib
import flyve
for name, size in {sizes!r}.items():
    flyve.__path__  # as an import asks for it
    with flyve.open("/" + name + ".mpy", "rb") as f:
        print(name, binascii.hexlify(hashlib.sha256(f.read(size)).digest()).decode())
"""
    lines = bench.lines(bench.board(script))
    for name, data in modules.items():
        assert f"{name} {hashlib.sha256(data).hexdigest()}" in lines


@pytest.mark.exact
def test_an_import_on_demand_takes_few_reads_of_flash(bench):
    script = f"""
import sys
from machine import flash_reads
from flyve import jobs, memory
import urequests
for name in {JOBS!r}:
    getattr(jobs, name)
    delattr(jobs, name)
    for lost in ("flyve.jobs." + name, "urequests"):  # http changes that
        sys.modules.pop(lost)
    import urequests
    before = flash_reads()
    getattr(jobs, name)
    print("reads", name, flash_reads() - before)
    memory.drop()
    import urequests
"""
    lines = bench.lines(bench.board(script), heap="1M")
    reads = {line.split()[1]: int(line.split()[2]) for line in lines if line.startswith("reads ")}
    assert sorted(reads) == JOBS, lines
    assert 10 < max(reads.values()) <= BUDGET, reads


def test_what_is_not_there_is_not_found(bench):
    script = """
import flyve
try:
    import flyve.nothing
except ImportError as e:
    print("no module:", e)
for path in ("/nothing", "/log", "/log.py", "/jobs/rest", "/jobs/rest.py"):
    try:
        flyve.stat(path)
        print(path, "is there")
    except KeyError:
        pass
from flyve import log
from flyve.jobs import paths
print(log.__file__, paths.__file__, paths.__name__)
"""
    assert bench.lines(bench.board(script)) == [
        "no module: /nothing.mpy",
        "/:/log.mpy /:/_.mpy flyve.jobs.paths",
    ]


def test_a_job_leaves_neither_its_name_nor_its_path(bench):
    script = """
import micropython, sys
from flyve import memory
from flyve.jobs import tasks
print("there:", sorted(name for name in sys.modules if "." in name), tasks.files.__name__)
del tasks
memory.drop()
print("there:", sorted(name for name in sys.modules if "." in name))
micropython.qstr_info(1)
"""
    lines = bench.lines(bench.board(script))
    stay = ["flyve.jobs", "flyve.memory", "flyve.registry"]
    more = [f"flyve.jobs.{name}" for name in ("files", "tasks", "texts")]
    assert lines[0] == f"there: {sorted(stay + more)} flyve.jobs.files"
    assert lines[1] == f"there: {stay}"
    names = [line for line in lines if line.startswith("Q(")]
    assert "Q(flyve.memory)" in names
    assert not [name for name in names if "flyve.jobs." in name or "/jobs/t" in name]


def test_a_job_that_is_cut_off_at_its_top_leaves_nothing_behind(bench):
    script = """
import sys
import flyve
from flyve.jobs import texts
for _ in range(2):
    try:
        from flyve.jobs import tasks
    except ImportError as e:
        print("no module:", e)
from flyve.jobs import nvs
print(sorted(name for name in sys.modules if name.startswith("flyve.jobs.")), flyve._)
"""
    made = bench.board(script)
    modules = archive.unpack(packed())
    del modules["jobs/files"]
    made.change({"/flyve/agent.mpy": archive.pack(modules)})
    assert bench.lines(made) == [
        "no module: /jobs/files.mpy",
        "no module: /jobs/files.mpy",
        "['flyve.jobs.nvs', 'flyve.jobs.texts'] None",
    ]


def test_an_import_for_which_there_is_no_memory_says_so(bench):
    script = """
import flyve
from flyve import jobs
def starved(path):
    raise MemoryError
stat, flyve.stat = flyve.stat, starved
try:
    from flyve.jobs import texts
except MemoryError as e:
    print("short:", e)
flyve.stat = stat
from flyve.jobs import texts
print(texts.__name__)
"""
    assert bench.lines(bench.board(script)) == ["short: /jobs/texts.mpy", "flyve.jobs.texts"]


MAIN = (ROOT / "firmware" / "main.py").read_text()


@pytest.mark.parametrize("left", [None, 0, 3, 1535, 50_000, -700, -20, -1])
def test_a_damaged_archive_is_told_and_counts_as_a_crash(bench, left):
    made = bench.board()
    whole = packed()
    made.change({
        "/flyve/agent.mpy": None if left is None else whole[:left],
        "/main.py": MAIN.replace("time.sleep(10)", "time.sleep(0)").encode(),
    })  # fmt: skip
    run = bench.start(made)
    run.wait_log("board: reset")
    run.wait_log("board: reset", since=run.log.index("board: reset") + 1)
    run.kill()
    first = run.log[: run.log.index("board: reset")]
    assert first.count("main: the agent is damaged: `flyve deploy` renews it") == 1, first
    assert entry(made, "crashes") >= 1


def test_an_update_whose_archive_is_cut_off_falls_back(bench):
    made = bench.board()
    slot = {f"/flyve.a{p}": made.read(p) for p, _ in made.files() if p.startswith("/flyve/")}
    slot["/flyve.a/flyve/agent.mpy"] = packed()[:40_000]
    main = MAIN.replace("time.sleep(10)", "time.sleep(0)").encode()
    made.change({**slot, "/main.py": main}, {("flyve", "update"): 1 << 2})  # slot a is on trial
    run = bench.start(made)
    run.wait_log("flyve 2.0.0-esp32, release .*, starts after reset", 20)
    run.kill()
    assert "main: the agent is damaged: `flyve deploy` renews it" in run.log
    assert entry(made, "update") & 0x3F == 0, "the base, no trial"


def test_the_agent_of_a_slot_is_imported_from_its_own_archive(bench):
    made = bench.board("from flyve import log\nprint('which', log.WHICH)\n")
    base = {p: made.read(p) for p, _ in made.files() if p.startswith("/flyve/")}
    files = {}
    for slot in ("", ".a", ".b"):
        modules = archive.unpack(base["/flyve/agent.mpy"])
        modules["log"] = mpy(f"WHICH = 'slot{slot}'", "log.py")
        files[f"/flyve{slot}{'/flyve' * bool(slot)}/agent.mpy"] = archive.pack(modules)
        package = f"/flyve{slot}{'/flyve' * bool(slot)}/__init__.mpy"
        files[package] = base["/flyve/__init__.mpy"]
    made.change(files)
    for number, slot in enumerate(("", ".a", ".b")):
        made.change(entries={("flyve", "update"): number, ("flyve", "base"): None})
        for _ in range(2):  # boot.py looks at both agents only the first time
            run = bench.start(made)
            assert run.wait_log("which (.+)")[1] == f"slot{slot}"
            run.kill()


def test_nothing_is_seen_of_the_mount_but_during_an_import(bench):
    script = """
import os
seen = os.listdir("/")
import flyve
from flyve.jobs import erasing, paths
try:
    from flyve import nothing
except ImportError:
    pass
print("the same:", os.listdir("/") == seen)
flyve.__path__
print("more:", set(os.listdir("/")) - set(seen))
from flyve.jobs import jsonpick
print("the same:", os.listdir("/") == seen)
"""
    lines = bench.lines(bench.board(script))
    assert lines == ["the same: True", "more: {':'}", "the same: True"]


def test_an_application_that_goes_to_another_folder_is_in_nobodys_way(bench):
    script = """
import os
os.mkdir("/there")
os.chdir("/there")
from flyve.jobs import paths
print("found", paths.__file__)
"""
    made = bench.board(script)
    assert bench.lines(made)[0] == "found /:/_.mpy"
