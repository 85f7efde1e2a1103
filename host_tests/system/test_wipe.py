"""Wipe: all but the firmware goes, from the raw flash, too, whenever the power fails."""

import contextlib
import random

import pytest

from flyve_mdm.board import image
from flyve_mdm.board.life import EXIT_CUT
from host_tests.kit.packages import AGENT, NEW, agent_bundle

pytestmark = pytest.mark.virtual
FLASH = 512 << 10
LABEL = b"k7m2p9x3ab"  # the passphrase of the set-up network, which is the board's own
WRITES = 3000  # of a wipe on such a flash, at least; the last ones are of NVS


@pytest.fixture
def make_online(make_device):
    """Makes a device that is online, with a file and an application."""

    def make(generation="C", **settings):
        device = make_device(generation=generation, flash_size=FLASH)
        device.board.nvs_set("flyve", "setup_psk", LABEL)
        device.go_online(**settings)
        device.ends(
            device.backend.tasks.deploy_app(17, b"def start(agent):\n    yield\n", "one"), "done"
        )
        device.ends(
            device.backend.tasks.deploy_file(17, b"the-content", "%SDCARD%/", "a.txt"), "done"
        )
        return device

    return make


def assert_wiped(device, keep_wifi=False):
    device.run.wait_log("wifi: connecting" if keep_wifi else "setup: network .* is open", 30)
    device.run.kill()
    assert all(
        p.startswith(("/flyve/", "/lib/", "/boot", "/main")) for p, _ in device.board.files()
    )
    assert any(key == "wifi" for _, key, _, _ in device.board.nvs()) == keep_wifi
    assert device.board.entry("flyve", "setup_psk") == LABEL
    secrets = device.secrets() + device.credentials() + [b"the-content"]
    if not keep_wifi:
        secrets.append(device.wifi[1].encode())
    assert device.secrets_in_images(secrets) == []


@pytest.mark.parametrize("generation", ["A", "B", "C"])
def test_nothing_but_the_firmware_is_left(make_online, generation):
    device = make_online(generation)
    device.backend.admin.wipe(17)
    device.run.wait_log("agent: wiping: all but the firmware goes")
    assert_wiped(device)


def test_the_backend_sees_it_offline_and_keeps_the_agent(make_online):
    device = make_online()
    device.backend.admin.wipe(17)
    assert device.backend.wait_for(lambda: not device.agent.online)
    device.run.wait_log("setup: network .* is open", 30)
    assert device.backend.events.of("unenrolled") == []


def test_the_networks_stay_if_that_is_set(make_online):
    device = make_online(keep_wifi=True)
    device.backend.admin.wipe(17)
    device.run.wait_log("agent: waiting for a deeplink", 30)
    assert_wiped(device, keep_wifi=True)


def test_it_reaches_a_board_that_was_off(make_online):
    device = make_online()
    device.run.kill()
    device.backend.admin.wipe(17)
    device.start()
    assert_wiped(device)


def cut_at(device, cuts, keep_wifi):
    """Cuts the power at each of these shares of the wipe's writes, one start after the other."""
    device.run.kill()
    device.board.change({"/wiping": b""}, {("flyve", "setup_psk"): LABEL})
    for cut in cuts:
        device.start(cut_after=cut)
        assert device.run.wait() == EXIT_CUT
    device.start()
    assert_wiped(device, keep_wifi)


@pytest.mark.parametrize("keep_wifi", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_power_cuts_do_not_stop_it(make_online, seed, keep_wifi):
    draw = random.Random(seed)
    cuts = [draw.randrange(1, 12), draw.randrange(1, 100), draw.randrange(1, WRITES)]
    cut_at(make_online(keep_wifi=keep_wifi), cuts, keep_wifi)


def test_a_full_flash_does_not_stop_it(make_online):
    device = make_online()
    device.run.kill()
    used = sum(
        -(-size // image.BLOCK) * image.BLOCK for _, size in device.board.files() if size > 512
    )
    for size in range(FLASH - used, 0, -image.BLOCK):
        with contextlib.suppress(image.ImageError):
            device.board.write("/files/big", b"x" * size)
            break
    device.backend.admin.wipe(17)
    device.start()
    assert_wiped(device)


def test_an_updated_agent_stays(make_device):
    device = make_device().go_online()
    bundle = agent_bundle(NEW)
    device.ends(device.backend.tasks.deploy_app(17, bundle, AGENT, version_code="201"), "done")
    device.backend.admin.wipe(17)
    device.run.wait_log("setup: network .* is open", 30)
    device.run.kill()
    device.start().wait_log("flyve 2.0.1-esp32, release")


@pytest.mark.soak
@pytest.mark.parametrize("cut", [*range(1, 40), *range(40, WRITES, 97)])
def test_a_power_cut_at_a_write_does_not_stop_it(make_device, cut):
    device = make_device(flash_size=FLASH).go_online(keep_wifi=bool(cut % 2))
    cut_at(device, [cut], bool(cut % 2))
