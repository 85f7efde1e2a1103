"""Applications in the agent's loop: they run, raise, pause, and leave nothing behind."""

import binascii

import pytest

from host_tests.kit.packages import entry, tar

APPS = """
from flyve.apps import Apps
class Names(list):
    def append(self, one):
        super().append(one[0])
failed = Names()
class Agent:
    rec = {}
    box = {"failed": failed}
    def __str__(self):
        return "the agent"
    def look(self):
        pass
agent = Agent()
agent.online = agent
apps = Apps(agent)
apps.refresh()
def steps(n):
    for _ in range(n):
        apps.step()
"""

COUNTER = b"""
import helper
def start(agent):
    for n in range(1000):
        print(helper.NAME, agent, n)
        yield
"""


def board(bench, script="", **apps):
    made = bench.board()
    files = {f"/apps/{name}/.current": b"1" for name in apps}
    for name, members in apps.items():
        if isinstance(members, bytes):
            members = {"app.py": members}
        files.update({f"/apps/{name}/1/{path}": data for path, data in members.items()})
    made.change(files)
    bench.script(made, APPS + script)
    return made


def helped(name):
    return {"app.py": COUNTER, "helper.py": b"NAME = '%s'\n" % name.encode()}


def test_applications_run_in_turn_each_with_its_own_modules(bench):
    script = "steps(2)\nimport sys\nprint([m for m in sys.modules if m in ('app', 'helper')])\n"
    lines = bench.lines(board(bench, script + "print(sys.path)", a=helped("A"), b=helped("B")))
    assert sorted(lines[:2]) == ["A the agent 0", "B the agent 0"]
    assert sorted(lines[2:4]) == ["A the agent 1", "B the agent 1"]
    assert lines[4] == "[]"
    assert "/apps" not in lines[5]


def test_an_import_in_the_middle_finds_the_applications_modules(bench):
    late = b"def start(agent):\n    yield\n    import helper\n    print(helper.NAME)\n    yield\n"
    lines = bench.lines(board(bench, "steps(2)", a={**helped("late"), "app.py": late}))
    assert lines == ["late"]


def test_an_application_does_not_replace_the_agents_modules(bench):
    app = b"import urequests\ndef start(agent):\n    print(urequests.__file__)\n    yield\n"
    evil = {"app.py": app, "urequests.py": b"print('evil')\n", "flyve/log.py": b"print('evil')\n"}
    lines = bench.lines(board(bench, "steps(1)", a=evil))
    assert lines == ["/lib/urequests.mpy"]


def test_one_that_raises_three_times_is_stopped_and_the_others_go_on(bench):
    bad = b"def start(agent):\n    yield\n    raise ValueError('oops')\n"
    script = "steps(12)\nprint(failed)"
    lines = bench.lines(board(bench, script, bad=bad, good=helped("G")))
    assert sum("WARN apps: bad: ValueError('oops',)" in line for line in lines) == 3
    assert sum("ERROR apps: bad is stopped: it raised 3 times" in line for line in lines) == 1
    assert sum(line.startswith("G the agent") for line in lines) == 12
    assert lines[-1] == "['bad']"


def test_whatever_it_raises_the_agent_lives_on(bench):
    apps = {
        "syntax": b"def start(:\n",
        "missing": b"import no_such_module\n",
        "exit": b"import sys\ndef start(agent):\n    sys.exit()\n    yield\n",
        "memory": b"def start(agent):\n    yield bytearray(10000000)\n",
        "wrong": b"def start():\n    yield\n",
        "close": b"def start(agent):\n    try:\n        yield\n        1/0\n    finally:\n        1/0\n",  # noqa: E501
        "name": b"start = 3\n",
        "full": b"def start(agent):\n    raise OSError(28)\n    yield\n",
    }
    lines = bench.lines(board(bench, "steps(9)\nprint(sorted(failed))", **apps))
    assert sum(line.endswith("WARN apps: full: OSError: ENOSPC (28)") for line in lines) == 3
    assert lines[-1] == str(sorted(apps))


def test_one_that_ends_or_has_no_start_is_left_alone(bench):
    script = "steps(5)\nprint('failed', failed)"
    lines = bench.lines(
        board(
            bench,
            script,
            once=b"print('once')\n",
            short=b"def start(agent):\n    print('short')\n    yield\n",
            none=b"def start(agent):\n    print('none')\n",
            data={"readme": b"no module"},
        )
    )
    assert sorted(lines[:-1]) == ["none", "once", "short"]
    assert lines[-1] == "failed []"


def test_a_pause_stops_all(bench):
    script = "steps(1)\napps.pause(True)\nsteps(5)\nprint('pause')\napps.pause(False)\nsteps(1)"
    lines = bench.lines(board(bench, script, a=helped("A")))
    assert lines == ["A the agent 0", "pause", "A the agent 1"]


def test_a_refresh_starts_stops_and_replaces(bench):
    made = board(bench, a=helped("old"), b=helped("B"))
    new = tar({"app.py": COUNTER, "helper.py": b"NAME = 'new'\n"})
    made.change({"/staged": new})
    script = """
        steps(1)
        install('a', '2')
        from flyve.jobs import packages
        packages.remove('b')
        apps.refresh()
        steps(1)
        apps.stop('a')
        steps(1)
        print('end')
        """
    bench.script(made, APPS + "\n".join(line.strip() for line in script.splitlines()))
    lines = [line for line in bench.lines(made) if " INFO " not in line]
    assert sorted(lines[:2]) == ["B the agent 0", "old the agent 0"]
    assert lines[2].startswith("done")
    assert lines[3:] == ["new the agent 0", "end"]


def test_a_stopped_application_ends_its_generator(bench):
    app = b"def start(agent):\n    try:\n        yield\n        yield\n    finally:\n        print('closed')\n"  # noqa: E501
    lines = bench.lines(board(bench, "steps(1)\napps.stop('a')\nprint('end')", a=app))
    assert lines == ["closed", "end"]


def test_safe_mode_starts_none(bench):
    made = board(bench, "steps(3)\nprint('safe', apps.safe)", a=helped("A"))
    made.nvs_set("flyve", "crashes", 5)
    assert bench.lines(made) == ["safe True"]


LIFE = """
import time
from flyve import board
board.watchdog(300)
for _ in range(70):
    board.feed()
    apps.step()
    time.sleep_ms(20)
board.watchdog(60000)
print("end", failed)
"""


def lives(bench, made):
    """The lines of all the board's lives until one comes to its end."""
    run = bench.start(made)
    run.wait_log("^end ", 20)
    run.kill()
    return [line for line in run.log if not line.startswith(("board:", "flash ops"))]


HANGS = {
    "start": "def start(agent):\n    while True:\n        pass\n    yield\n",
    "later": "def start(agent):\n    yield\n    while True:\n        pass\n",
    "reset": "import machine\ndef start(agent):\n    machine.reset()\n    yield\n",
}


# A32
@pytest.mark.parametrize(("how", "bites"), [("start", 1), ("later", 2), ("reset", 2)])
def test_one_in_which_the_board_hangs_is_stopped_for_good_and_the_others_go_on(bench, how, bites):
    good = COUNTER.replace(b"import helper", b"").replace(b"helper.NAME", b"'G'")
    made = board(bench, LIFE, bad=HANGS[how].encode(), good=good)
    lines = lives(bench, made)
    said = "bad is stopped: the board hung or was reset in it"
    assert sum(said in line for line in lines) == 1
    assert lines[-1] == "end ['bad']"
    assert entry(made, "crashes") == bites and entry(made, "app") == 0
    last = lines.index(next(line for line in lines if said in line))
    assert sum(line.startswith("G the agent") for line in lines[last:]) >= 2
    if how != "start":
        return
    # Not with the next power-on either, but another version is.
    lines = lives(bench, made)
    assert said in lines[0] and lines[-1] == "end ['bad']"
    made.change({"/apps/bad/.current": b"2", "/apps/bad/2/app.py": b"print('mended')\n"})
    assert "mended" in lives(bench, made)


# A32
def test_a_loss_of_power_or_one_reset_in_a_start_condemns_nothing(bench):
    made = board(bench, "steps(1)\nprint(failed)", a=helped("A"))
    made.nvs_set("flyve", "app", binascii.crc32(b"/apps/a/1") & 0x7FFFFFFF)
    assert bench.lines(made) == ["A the agent 0", "[]"]
    assert entry(made, "app") == 0
    made.nvs_set("flyve", "app", b"no number")
    assert bench.lines(made) == ["A the agent 0", "[]"]


# A32
def test_what_failed_before_the_agent_is_online_is_told_once_it_is(bench):
    script = "agent.online = None\nsteps(9)\nprint(failed)\nagent.online = agent\n"
    lines = bench.lines(board(bench, script + "steps(1)\nprint(failed)", bad=b"1/0\n"))
    assert lines[-2:] == ["[]", "['bad']"]


def test_starting_and_stopping_leaves_nothing_in_memory(bench):
    script = """
import gc
def cycle():
    apps.refresh()
    steps(1)
    apps.stop('a')
    gc.collect()
    return gc.mem_free()
print = lambda *args: None
for _ in range(5):
    free = cycle()
for _ in range(50):
    last = cycle()
import builtins
builtins.print('lost', free - last)
"""
    lines = bench.lines(board(bench, script, a=helped("A")))
    assert int(lines[-1].split()[1]) <= 128, lines[-1]
