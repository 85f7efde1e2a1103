"""The power fails at each write of an enrollment: what the next start makes of it."""

import pytest

CUT = 75  # the board's exit code after a power cut
WRITES = 7  # of an enrollment: one to flash, the others to NVS
# The backend has accepted the POST and the agent's id is not yet durable: only an administrator
# can tell what became of it.
IN_DOUBT = 4
MUST_ACT = r"refused .*delete the device's agent in GLPI.*invite again"


@pytest.mark.virtual
def test_an_enrollment_takes_seven_writes(device):
    device.start()
    device.online()
    device.run.kill()
    assert device.run.flash_ops == WRITES


@pytest.mark.virtual
@pytest.mark.parametrize("nvs, torn", [("eager", None), ("eager", 7), ("lazy", None)])
@pytest.mark.parametrize("cut", range(1, WRITES + 1))
def test_a_cut_at_any_write_ends_enrolled_after_one_post(device, cut, nvs, torn):
    device.start(cut_after=cut, torn=torn, nvs=nvs)
    assert device.run.wait() == CUT
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
