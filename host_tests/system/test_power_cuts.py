"""The power fails at a write of an enrollment, or of a life: what the next start makes of it."""

import random
import re
import time

import pytest

from flyve_mdm.board.life import EXIT_CUT
from flyve_mdm.patience import stretched
from host_tests.kit.packages import applications
from host_tests.kit.sample import sample

WRITES = 6  # of an enrollment: one to flash, the others to NVS
# The backend has accepted the POST and the agent's id is not yet durable: only an administrator
# can tell what became of it.
IN_DOUBT = 3
MUST_ACT = r"refused .*delete the device's agent in GLPI.*invite again"


@pytest.mark.virtual
def test_an_enrollment_takes_six_writes(device):
    device.start()
    device.online()
    device.run.kill()
    assert device.run.flash_ops == WRITES


@pytest.mark.virtual
@pytest.mark.parametrize("nvs, torn", [("eager", None), ("eager", 7), ("lazy", None)])
@pytest.mark.parametrize("cut", range(1, WRITES + 1))
def test_a_cut_at_any_write_ends_enrolled_after_one_post(device, cut, nvs, torn):
    device.start(cut_after=cut, torn=torn, nvs=nvs)
    assert device.run.wait() == EXIT_CUT
    device.start()
    end = device.run.wait_log(rf"link: online topic=|{MUST_ACT}", 30)
    device.run.kill()
    assert ("link" in end[0]) == (cut != IN_DOUBT)
    assert device.posts().count(201) == 1
    assert device.secrets_on_board() == []


@pytest.mark.parametrize("endpoint", ["initSession", "getFullSession", "PluginFlyvemdmAgent"])
def test_a_power_cut_during_a_get_ends_enrolled_after_one_post(device, endpoint):
    device.backend.fault(f"GET {endpoint}", "delay-after", seconds=1, times=1)
    device.start()
    assert device.backend.wait_for(
        lambda: any(r.method == "GET" and endpoint in r.path for r in device.backend.requests)
    )
    device.run.kill()
    device.start()
    device.online()
    assert device.posts().count(201) == 1


def test_a_power_cut_while_the_post_is_answered_names_what_to_do(device):
    device.backend.fault("POST PluginFlyvemdmAgent", "delay-after", seconds=1, times=1)
    device.start()
    assert device.backend.wait_for(device.posts)
    device.run.kill()
    device.start()
    device.run.wait_log(MUST_ACT)
    assert device.posts().count(201) <= 1


APP = b"def start(agent):\n    while True:\n        yield\n"
PARTS = 16  # of all writes of a life, for what runs side by side
DATA = random.Random(3).randbytes(20_000)


class Story:
    """A device's life after its enrollment, in chapters: each is an order of the administrator,
    and returns what tells that the backend knows of its end."""

    def __init__(self, device):
        self.device, self.tasks, self.runs = device, [], []

    def deploy_file(self):
        return self._task(
            self.device.backend.tasks.deploy_file(17, DATA, "%SDCARD%/a/", name="f.bin")
        )

    def deploy_app(self):
        return self._task(self.device.backend.tasks.deploy_app(17, APP, "org.example"))

    def apply_policy(self):
        return self._task(self.device.backend.tasks.policy(17, "periodicGeolocation", "3600"))

    def unenroll(self):
        self.device.backend.admin.unenroll(17, wait=0)
        return lambda: not self.device.backend.agents

    CHAPTERS = (deploy_file, deploy_app, apply_policy, unenroll)

    def _task(self, task):
        row = self.device.backend.state.status_of(task, self.device.backend.admin.agent(17))
        self.tasks.append(row)
        return lambda: row.history[-1:] == ["done"]

    def live(self, **how):
        """Lives from the invitation on; a power cut on the way is followed by a restart.
        Returns False where only an administrator can go on (see IN_DOUBT)."""
        device = self.device
        self.runs.append(device.start(**how))
        if not self._until(lambda: device.backend.agents and device.backend.agents[0].online):
            return False
        for chapter in self.CHAPTERS:
            self._until(chapter(self))
        self._until(lambda: device.said("agent: waiting for a deeplink"))
        device.run.kill()
        return True

    def _until(self, done, timeout=30):
        """Waits for it, and switches a board that lost its power on again."""
        end = time.monotonic() + stretched(timeout)
        while not done():
            assert time.monotonic() < end, "\n".join("\n".join(run.log) for run in self.runs)
            if not self.device.run.running:
                assert self.device.run.wait() == EXIT_CUT
                self.runs.append(self.device.start())
            if any(re.search(MUST_ACT, line) for line in self.device.run.log):
                self.device.run.kill()
                return False
            time.sleep(0.02)
        return True

    def check(self):
        """What must hold at the end, wherever the power has failed."""
        device = self.device
        assert [row.history[-1] for row in self.tasks] == ["done"] * len(self.tasks)
        assert device.board.read("/files/a/f.bin") == DATA
        assert applications(device.board) == {"org.example": {"app.py": APP}}
        assert device.posts().count(201) == 1
        assert device.secrets_on_board(device.secrets() + device.credentials()) == []


def one_life(make_device, cut=None, torn=None):
    """Lives one life with the power failing at that write; returns it, checked."""
    device = make_device(flash_size=1 << 20)
    device.provision(reconnect_spread=0)
    life = Story(device)
    if life.live(**({"cut_after": cut, "torn": torn} if cut else {})):
        life.check()
        # How many writes a life takes depends a little on how the bytes arrive.
        assert len(life.runs) == 2 or not cut or life.runs[0].flash_ops < cut
    else:
        assert cut == IN_DOUBT
        assert device.posts().count(201) == 1
    return life


def whole_life(make_device):
    """How many writes a life has."""
    return one_life(make_device).runs[-1].flash_ops


@pytest.mark.timeout(180)
def test_the_power_fails_in_a_life_and_it_ends_as_it_should(make_device):
    writes = whole_life(make_device)
    cuts = sample("life", range(1, writes + 1), 8)
    lives = [one_life(make_device, cut, torn=None if cut % 2 else 7) for cut in cuts]
    assert (
        sum(len(life.runs) == 2 or cut == IN_DOUBT for life, cut in zip(lives, cuts, strict=True))
        >= 5
    )


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("torn", [None, 7], ids=["whole", "torn"])
@pytest.mark.parametrize("part", range(PARTS))
def test_the_power_fails_at_any_write_of_a_life(make_device, part, torn):
    for cut in range(1 + part, whole_life(make_device) + 1, PARTS):
        one_life(make_device, cut, torn)
