"""Applications that an administrator deploys, and updates of the agent and of the firmware."""

import pytest

from flyve_mdm import ROOT
from flyve_mdm.board import appimage
from host_tests.kit.packages import (
    AGENT,
    NEW,
    agent_bundle,
    applications,
    boot_slot,
    entry,
    mpy,
    tar,
)

COUNTER = b"""
def start(agent):
    n = 0
    while True:
        n += 1
        print("turn %d of VERSION" % n)
        yield
"""
RAISING = b"def start(agent):\n    yield\n    raise ValueError('oops')\n"


def app(version):
    return COUNTER.replace(b"VERSION", version.encode())


@pytest.fixture
def with_slots(make_device):
    """A board with two OTA slots, whose updates have three seconds to come online."""
    return make_device(ota=True).go_online(trial=3)


@pytest.mark.parametrize("generation", ["A", "B", "C"])
def test_a_bundle_is_installed_and_runs(make_device, generation):
    online = make_device(generation=generation).go_online()
    bundle = tar({"app.py": app("one"), "data/x": b"x"})
    task = online.backend.tasks.deploy_app(17, bundle, "org.example")
    online.ends(task, "done")
    assert online.history(task) == ["pending", "received", "waiting", "done"]
    online.run.wait_log("turn 3 of one")
    assert set(applications(online.board)) == {"org.example"}


# A32
def test_the_task_of_an_application_that_hangs_fails(online):
    hangs = b"import machine\nmachine.WDT(timeout=400)\nwhile True:\n    pass\n"
    task = online.backend.tasks.deploy_app(17, hangs, "stuck")
    history = online.history(task)
    assert online.backend.wait_for(lambda: history[-1:] == ["failed"], 10), online.run.log


@pytest.mark.parametrize("data", [app("one"), mpy(app("one").decode())], ids=["py", "mpy"])
def test_a_single_module_is_an_application(online, data):
    online.ends(online.backend.tasks.deploy_app(17, data, "one"), "done")
    online.run.wait_log("turn 3 of one")


def test_an_application_starts_again_after_a_restart(online):
    online.ends(online.backend.tasks.deploy_app(17, app("one"), "one"), "done")
    online.run.kill()
    online.start().wait_log("turn 1 of one")


def test_a_new_version_takes_the_place_of_the_old_one(online):
    online.ends(online.backend.tasks.deploy_app(17, app("one"), "org.example"), "done")
    online.run.wait_log("turn 3 of one")
    task = online.backend.tasks.deploy_app(17, app("two"), "org.example", version_code="2")
    online.ends(task, "done")
    since = len(online.run.log)
    online.run.wait_log("turn 3 of two", since=since)
    assert not any("of one" in line for line in online.run.log[since:])


def test_a_removed_application_ends(online):
    online.ends(online.backend.tasks.deploy_app(17, app("one"), "org.example"), "done")
    online.ends(online.backend.tasks.remove_app(17, "org.example"), "done")
    since = len(online.run.log)
    assert online.backend.admin.ping(17, wait=2)
    assert not any("of one" in line for line in online.run.log[since:])
    assert applications(online.board) == {}


def test_an_application_that_raises_fails_its_task_and_the_agent_lives_on(online):
    task = online.backend.tasks.deploy_app(17, RAISING, "bad")
    history = online.history(task)
    assert online.backend.wait_for(lambda: history[-1:] == ["failed"], 10), online.run.log
    assert online.backend.admin.ping(17, wait=2)


def test_a_bundle_with_a_traversal_fails_and_changes_nothing(online):
    before = {path for path, _ in online.board.files()}
    task = online.backend.tasks.deploy_app(17, tar({"../flyve/agent.mpy": b"x"}), "evil")
    online.ends(task, "failed")
    kept = {"/tasks.json", "/outbox.json", "/failures.json"}
    assert {path for path, _ in online.board.files()} - before <= kept


def test_firmware_without_a_slot_is_incompatible(online):
    online.ends(online.backend.tasks.deploy_app(17, appimage.build(), "firmware"), "incompatible")


def test_firmware_for_another_chip_is_incompatible(with_slots):
    image = appimage.build(chip=9)
    with_slots.ends(with_slots.backend.tasks.deploy_app(17, image, "firmware"), "incompatible")


def test_firmware_that_comes_online_is_confirmed(with_slots):
    task = with_slots.backend.tasks.deploy_app(17, appimage.build("new"), "firmware")
    with_slots.ends(task, "done")
    with_slots.run.kill()
    assert boot_slot(with_slots.board) == "ota_1"


@pytest.mark.parametrize("project", [appimage.CRASH, appimage.DEAF])
def test_firmware_that_does_not_come_online_is_rolled_back(with_slots, project):
    task = with_slots.backend.tasks.deploy_app(17, appimage.build(project), "firmware")
    with_slots.ends(task, "failed")
    with_slots.run.kill()
    assert boot_slot(with_slots.board) == "ota_0"


def test_an_agent_that_comes_online_is_kept(online):
    task = online.backend.tasks.deploy_app(17, agent_bundle(NEW), AGENT, version_code="201")
    online.ends(task, "done")
    online.run.wait_log("flyve 2.0.1-esp32, release")
    online.run.kill()
    online.start().wait_log("flyve 2.0.1-esp32, release")


def test_the_agent_alternates_between_its_slots(online):
    for version in (1, 2, 3):
        new = agent_bundle(f"2.0.{version}-esp32")
        task = online.backend.tasks.deploy_app(17, new, AGENT, version_code=f"20{version}")
        online.ends(task, "done")
    online.run.kill()
    assert entry(online.board, "crashes") == 0, "a restart for an update is no crash"
    online.start().wait_log("flyve 2.0.3-esp32, release")
    assert {path.split("/")[1] for path, _ in online.board.files() if "agent.mpy" in path} == {
        "flyve", "flyve.a", "flyve.b",
    }  # fmt: skip


def test_an_agent_that_resets_the_board_falls_back_at_once(online):
    source = "import machine\ndef main():\n    machine.reset()\n"
    task = online.backend.tasks.deploy_app(
        17, agent_bundle(agent=source), AGENT, version_code="201"
    )
    online.ends(task, "failed")
    online.run.wait_log("flyve 2.0.0-esp32, release .*, starts after reset")


@pytest.mark.parametrize(
    "source",
    ["def main():\n    print('it has ended')\n", "def main():\n    1 / 0\n", "no_such_name\n"],
)
def test_an_agent_that_ends_falls_back_after_three_starts(online, source):
    task = online.backend.tasks.deploy_app(
        17, agent_bundle(agent=source), AGENT, version_code="201"
    )
    online.run.wait_log("update: restarting")
    for _ in range(3):
        online.run.wait_log("it has ended|Error")
        online.run.kill()
        online.start()
    online.ends(task, "failed")
    online.run.wait_log("flyve 2.0.0-esp32, release .*, starts after power-on")


@pytest.mark.soak
def test_an_agent_that_ends_falls_back_by_the_watchdog(online):
    source = "def main():\n    pass\n"
    task = online.backend.tasks.deploy_app(
        17, agent_bundle(agent=source), AGENT, version_code="201"
    )
    online.ends(task, "failed", timeout=90)
    online.run.wait_log("flyve 2.0.0-esp32, release .*, starts after watchdog")


DEAF = """
class Link:
    topic = "76/agent/DEAF"
    up = False
    down = True
    reason = None
    def __init__(self, *args):
        pass
    def due(self):
        return 1000
    def pump(self):
        pass
"""


def test_an_agent_that_does_not_come_online_falls_back(make_device):
    online = make_device().go_online(trial=2)
    task = online.backend.tasks.deploy_app(17, agent_bundle(link=DEAF), AGENT, version_code="201")
    online.ends(task, "failed")
    online.run.wait_log("the update did not come online in time: restarting")
    assert online.backend.admin.ping(17, wait=2)


def test_an_agent_for_another_micropython_is_refused_before_anything_is_written(online):
    bundle = agent_bundle().replace(b"M\6", b"M\5")
    task = online.backend.tasks.deploy_app(17, bundle, AGENT, version_code="201")
    online.ends(task, "incompatible")
    assert not any(path.startswith("/flyve.") for path, _ in online.board.files())


BITES = """

def _bite(self, step=Agent.step):
    if self.online and self.online.since and log.uptime() - self.online.since > 500:
        board.reset()
    step(self)

Agent.step = _bite
"""


# A24
def test_an_agent_that_crashes_after_it_was_online_falls_back(make_device):
    online = make_device().go_online(stable=60)
    source = (ROOT / "firmware" / "flyve" / "agent.py").read_text() + BITES
    task = online.backend.tasks.deploy_app(
        17, agent_bundle(agent=source), AGENT, version_code="201"
    )
    online.ends(task, "failed")
    assert online.said("link: online") == 3
    assert online.backend.admin.ping(17, wait=5)
