"""Back to blank without the backend, and a start after crashes."""

import pytest

from tools.board import provision
from tools.board.target import open_target


def test_boot_held_for_five_seconds_makes_the_board_blank(make_device):
    device = make_device().go_online()
    device.board.press_boot(9)
    device.run.wait_log("agent: reset by its button: restarting", 20)
    device.run.wait_log("agent: waiting for a deeplink")
    assert not device.agent.online
    device.run.kill()
    assert device.secrets_on_board(device.secrets() + device.credentials()) == []


@pytest.mark.virtual
def test_flyve_reset_leaves_nothing_of_the_enrollment(make_device):
    device = make_device().go_online()
    device.ends(device.backend.policy(17, "periodicGeolocation", "3600"), "done")
    device.run.kill()
    provision.forget(open_target(str(device.board.path)))
    assert device.secrets_on_board(device.secrets() + device.credentials()) == []
    assert not {path for path, _ in device.board.files()} & {"/tasks.json", "/outbox.json"}
    device.start().wait_log("agent: waiting for a deeplink")


CRASH = b"import machine\ndef start(agent):\n    machine.reset()\n    yield\n"


def test_five_crashes_at_the_start_bring_safe_mode(make_device):
    device = make_device().go_online()
    task = device.backend.deploy_app(17, CRASH, "crash")
    device.run.wait_log("agent: safe mode after 5 crashes: no applications", 40)
    device.backend.wait_task(task, 5)
    assert device.backend.ping(17, wait=10)
    assert sum(" starts after reset" in line for line in device.run.log) == 5
