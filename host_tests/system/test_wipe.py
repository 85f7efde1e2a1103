"""Wipe: all but the firmware goes, from the raw flash, too, whenever the power fails."""

import random

import pytest

from host_tests.system.conftest import PSK

CUT = 75
FLASH = 512 << 10


@pytest.fixture
def make_online(make_device):
    """Makes a device that is online, with a file and an application."""

    def make(generation="C", **settings):
        device = make_device(generation=generation, flash_size=FLASH).go_online(**settings)
        device.ends(
            device.backend.deploy_app(17, b"def start(agent):\n    yield\n", "one"), "done"
        )
        device.ends(device.backend.deploy_file(17, b"the-content", "%SDCARD%/", "a.txt"), "done")
        return device

    return make


def assert_wiped(device, keep_wifi=False):
    device.run.wait_log("wifi: connecting" if keep_wifi else "wifi: no network is configured", 30)
    device.run.kill()
    assert all(
        p.startswith(("/flyve/", "/lib/", "/boot", "/main")) for p, _ in device.board.files()
    )
    assert any(key == "wifi" for _, key, _, _ in device.board.nvs()) == keep_wifi
    secrets = device.secrets() + device.credentials() + [b"the-content"]
    assert device.secrets_in_images(secrets + ([] if keep_wifi else [PSK.encode()])) == []


@pytest.mark.parametrize("generation", ["A", "B", "C"])
def test_nothing_but_the_firmware_is_left(make_online, generation):
    device = make_online(generation)
    device.backend.wipe(17)
    device.run.wait_log("agent: wiping: all but the firmware goes")
    assert_wiped(device)


def test_the_backend_sees_it_offline_and_keeps_the_agent(make_online):
    device = make_online()
    device.backend.wipe(17)
    assert device.backend.wait_for(lambda: not device.agent.online)
    device.run.wait_log("wifi: no network is configured", 30)
    assert device.backend.events.of("unenrolled") == []


def test_the_networks_stay_if_that_is_set(make_online):
    device = make_online(keep_wifi=True)
    device.backend.wipe(17)
    device.run.wait_log("agent: waiting for a deeplink", 30)
    assert_wiped(device, keep_wifi=True)


def test_it_reaches_a_board_that_was_off(make_online):
    device = make_online()
    device.run.kill()
    device.backend.wipe(17)
    device.start()
    assert_wiped(device)


def cut_at(device, cuts, keep_wifi):
    """Cuts the power at each of these shares of the wipe's writes, one start after the other."""
    device.run.kill()
    device.board.write("/wiping", b"")
    for cut in cuts:
        device.start(cut_after=cut)
        assert device.run.wait() == CUT
    device.start()
    assert_wiped(device, keep_wifi)


@pytest.mark.parametrize("keep_wifi", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_power_cuts_do_not_stop_it(make_online, seed, keep_wifi):
    draw = random.Random(seed)
    cuts = [draw.randrange(1, 12), draw.randrange(1, 100), draw.randrange(1, 300)]
    cut_at(make_online(keep_wifi=keep_wifi), cuts, keep_wifi)
