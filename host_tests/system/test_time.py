"""Time that passes for a whole board, in days: ticks wrap after 12.4 of them, and differences are
wrong after 6.2. Nobody waits: see VirtualBoard.pass_time()."""

import time

import pytest

from flyve_mdm.build import firmware
from host_tests.kit.boards.virtual import PSK, SSID

pytestmark = pytest.mark.virtual

DAY = 86400
DAYS = [1, 7, 13, 30]
AIR = {SSID: PSK}


SYMBOLS = ["disableCamera", "disableBluetooth", "disableRoaming", "disableStatusBar"]
# Policies that find no memory while the link is up.
HUNGRY = """
from flyve import registry
from flyve.agent import main

def apply(agent, value, message, task):
    if agent.online.link.up:
        raise MemoryError
    yield

for name in SYMBOLS:
    registry.policies[name.lower()] = apply, None
main()
"""


class Months:
    """A board that is on for months."""

    def __init__(self, device, ntp=True):
        self.device = device
        self.backend = device.backend
        self._ntp = ntp

    def passes(self, seconds):
        """So much time passes, also for the time server; returns when the board has seen it."""
        if self._ntp:
            self.backend.options.ntp_offset += seconds
        self.device.passes(seconds)

    def comes(self, condition, step=900):
        """Waits until the condition holds; what the board waits for meanwhile passes."""
        for _ in range(40):
            if self.backend.wait_for(condition, 0.5):
                return
            self.passes(step)
        raise AssertionError("\n".join(self.device.run.log))

    def is_online(self):
        """Waits until it answers."""
        pongs = self.device.agent.pongs

        def answered():
            self.device.send("Ping", {"query": "Ping"})
            return self.device.agent.pongs > pongs

        self.comes(answered)


# A4
@pytest.mark.parametrize("ntp", [True, False])
def test_days_pass_in_every_state_and_the_board_comes_back(make_device, ntp):
    device = make_device(ntp_answer="time" if ntp else "unsynchronised")
    device.board.write("/main.py", firmware.follow(HUNGRY.replace("SYMBOLS", str(SYMBOLS))))
    device.go_online(unenroll_wait=30 * DAY, chunk=1024)
    life = Months(device, ntp)
    backend, board = device.backend, device.board
    for days in DAYS:  # online
        life.passes(days * DAY)
        life.is_online()
    for days, symbol in zip(DAYS, SYMBOLS, strict=True):  # with the link closed to make room
        life.passes(days * DAY)
        life.is_online()
        device.ends(backend.tasks.policy(17, symbol, "true"), "done")
        life.is_online()
    for days in DAYS:  # without a broker
        since = len(device.run.log)
        backend.broker.stop()
        device.run.wait_log("link: offline: ", 10, since)
        life.passes(days * DAY)
        backend.broker.start()
        life.is_online()
    for days in DAYS:  # without Wi-Fi
        since = len(device.run.log)
        board.set_air({}, connect_ms=20)
        device.run.wait_log("wifi: connection lost", 10, since)
        life.passes(days * DAY)
        board.set_air(AIR, connect_ms=20)
        life.is_online()
    for days in DAYS:  # downloading
        since = len(device.run.log)
        task = backend.tasks.deploy_file(17, bytes(range(256)) * 300, "%SDCARD%/", f"{days}.bin")
        device.run.wait_log("policies: task .* received", 10, since)
        life.passes(days * DAY)
        life.is_online()
        device.ends(task, "done", timeout=40)
        device.run.wait_log("download: done", 10, since)
    assert device.run.kill() == 0 and device.run.resets == []
    backend.admin.unenroll(17, wait=0)
    backend.listener.flush()
    backend.listener.pause()
    device.start().wait_log("agent: the backend has not deleted us yet", 20)
    for days in DAYS[:3]:  # leaving
        since = len(device.run.log)
        life.passes(days * DAY)
        life.comes(lambda: "the backend has not deleted us yet" in str(device.run.log[since:]))  # noqa: B023
    assert not device.said("did not confirm")
    device.board.pass_time(30 * DAY)
    device.run.wait_log("agent: the backend did not confirm", 20)
    device.run.wait_log("agent: waiting for a deeplink", 10)
    assert device.run.resets == [2]  # the one that ends an enrollment


# A3, A4
def test_a_board_that_is_left_alone_for_thirty_days_of_outages_is_online_at_the_end(make_device):
    device = make_device(tls=True).go_online()
    life = Months(device)
    for day in range(30):
        if day == 10:
            device.backend.options.ntp_leap = 3 * 365 * DAY  # the next answer, and no other
        device.board.set_air({}, connect_ms=20)
        device.backend.broker.restart()
        life.passes(DAY / 2)
        device.board.set_air(AIR, connect_ms=20)
        life.passes(DAY / 2)
        life.is_online()
    assert device.run.resets == []
    true = time.time() + device.backend.options.ntp_offset
    leaps = [line for line in device.run.log if "far from what is known" in line]
    assert leaps and device.backend.admin.geolocate(17, wait=5)["datetime"] == pytest.approx(
        true, abs=60
    )
