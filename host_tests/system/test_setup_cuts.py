"""The power fails at a write of the set-up: the board is in set-up again, or it enrolls."""

import http.client
import re
import time

import pytest

from flyve_mdm.board.life import EXIT_CUT
from flyve_mdm.board.log import BoardEnded
from flyve_mdm.patience import stretched
from host_tests.kit.boards.virtual import PSK, SSID
from host_tests.system.setting_up import Setting

pytestmark = pytest.mark.virtual
EMAIL = "guest@example.org"
WRITES = 10  # NVS: networks, the last that worked; flash: settings, then the deeplink


def prepared(make_device):
    """A board that knows two networks, and was in the second of them last."""
    setting = Setting(make_device(debug=True))
    wifi = [["attic", "attic-psk"], ["cellar", "cellar-psk"]]
    setting.prepare(wifi=wifi, email="another@example.org")
    setting.device.board.change({}, {("flyve", "net"): 1})
    return setting


def set_up(setting, link):
    """What a person does, as far as the board lets; False when the power fails."""
    try:
        setting.tap(link)
        assert setting.send(email=EMAIL)[0] == 303
        setting.shows("Joined ")
    except (OSError, http.client.HTTPException, BoardEnded):
        assert not setting.device.run.running
        return False
    return True


def finished(setting):
    """Waits until the board is online, or its power has failed; True for the first."""
    device, end = setting.device, time.monotonic() + stretched(40)
    while time.monotonic() < end:
        if any("link: online" in line for line in device.run.log):
            return True
        if not device.run.running:
            assert device.run.wait() == EXIT_CUT
            return False
        time.sleep(0.05)
    raise AssertionError("\n".join(device.run.log))


def page_or_enrollment(setting):
    """What the next start makes of it: True when the page is there."""
    since = setting.device.run.wait_log(r"setup: page http|enrollment: invited to", 20)
    return "page" in since[0]


def whole(setting):
    """What must hold at the end, wherever the power has failed."""
    device = setting.device
    device.run.kill()
    assert device.posts() == [201]
    assert setting.networks()[0] == [SSID, PSK] and len(setting.networks()) == 3
    assert re.search(rb'"email": "%s"' % EMAIL.encode(), device.board.read("/config.json"))
    assert device.secrets_on_board() == []


def one_cut(make_device, cut, torn, nvs):
    setting = prepared(make_device)
    link = setting.invite(EMAIL)
    setting.start(cut_after=cut, torn=torn, nvs=nvs)
    if set_up(setting, link) and finished(setting):
        pytest.fail("the power did not fail: fewer writes than WRITES")
    setting.device.start()
    if page_or_enrollment(setting):
        setting.joined()
        assert set_up(setting, link)
    assert finished(setting)
    whole(setting)


@pytest.mark.parametrize("cut", range(1, WRITES + 1))
def test_a_cut_at_any_write_leaves_a_board_that_is_set_up_or_enrolls(make_device, cut):
    one_cut(make_device, cut, None if cut % 2 else 7, "eager")


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("nvs, torn", [("eager", None), ("eager", 7), ("lazy", None)])
def test_cuts_of_every_kind(make_device, nvs, torn):
    for cut in range(1, WRITES + 1):
        one_cut(make_device, cut, torn, nvs)


def test_a_set_up_takes_that_many_writes(make_device):
    setting = prepared(make_device)
    setting.start()
    before = setting.device.run.flash_ops
    assert set_up(setting, setting.invite(EMAIL))
    assert setting.device.run.flash_ops - before == WRITES
