"""The set-up page while somebody has the board on a cable, too."""

import pytest
import serial
from click.testing import CliRunner

from flyve_mdm.build import firmware
from flyve_mdm.provision import provision
from host_tests.kit.boards.virtual import PSK, SSID
from host_tests.system.setting_up import OPEN, Setting

pytestmark = pytest.mark.virtual
EMAIL = "user@example.org"
# Somebody puts a deeplink on the flash, and does not restart the board.
PUT = """
import os
from flyve import agent

step, turns = agent.Agent.step, []

def putting(self):
    step(self)
    turns.append(None)
    if len(turns) == 20 and "put" not in os.listdir("/"):
        for path in ("/put", "/deeplink"):
            with open(path, "w") as f:
                f.write(%r)

agent.Agent.step = putting
agent.main()
"""


@pytest.fixture
def setting(make_device):
    return Setting(make_device(debug=True))


def test_a_line_on_the_console_is_answered_while_the_page_is_open(setting, tmp_path):
    device = setting.prepare().start(port=tmp_path / "port").device
    with serial.Serial(device.run.wait_port(), write_timeout=1) as console:
        console.write(b"\r\n")
    device.run.wait_log(r"console: blank; no Wi-Fi; up \d+ s; last trouble: none$")
    setting.page()


def test_flyve_provision_while_the_page_is_open_brings_the_board_online(setting, tmp_path):
    device = setting.prepare(wifi=[[SSID, PSK]], email=EMAIL).start(port=tmp_path / "port").device
    result = CliRunner().invoke(
        provision, [device.run.wait_port(), "--deeplink", setting.invite(EMAIL)]
    )
    assert result.exit_code == 0, result.output
    device.online(30)
    assert device.posts() == [201] and not device.run.setup


def test_a_deeplink_that_comes_on_the_flash_while_the_page_is_open_enrolls(setting):
    device = setting.prepare(wifi=[[SSID, PSK]], email=EMAIL).device
    device.board.write("/main.py", firmware.follow(PUT % setting.invite(EMAIL)))
    device.start()
    device.run.wait_log(OPEN)
    device.run.wait_log("agent: a deeplink has come: restarting", 20)
    device.online(30)
    assert device.posts() == [201]
