"""No exception ends the loop."""

import re

import pytest

from flyve_mdm.build import firmware
from host_tests.kit.packages import agent_archive
from host_tests.system import raising

pytestmark = pytest.mark.virtual

APP = b"def start(agent):\n    while True:\n        yield\n"
# What comes only once in minutes, at the end, with another deeplink, or when somebody asks at the
# console.
RARE = re.compile(
    r"restart|console\.|drop..console|select|_settle|'update'|look\(\)|stop|link.close|begin_anew"
)
# The test itself brings the deeplink, to a board that goes on.
SETTINGS = {"reconnect_spread": 0, "stable": 300, "setup": "off"}


# A8
@pytest.mark.timeout(120)
def test_each_call_of_the_loop_raises_once_and_the_board_is_online_again_each_time(make_device):
    source, sites = raising.agent()
    rare = [call for call in sites if RARE.search(call)]
    device = make_device()
    main = raising.main(len(sites), len(rare))
    device.provision(main=main, log_level="debug", **SETTINGS)
    device.board.change({
        "/flyve/agent.mpy": agent_archive(agent=source),
        "/apps/one/.current": b"1",
        "/apps/one/1/app.py": APP,
    })  # fmt: skip
    run = device.start()
    run.wait_log("all were raised", 60)
    run.wait_log("online again after", 10, len(run.log))
    assert len([line for line in run.log if line.startswith("raising")]) == len(sites) - len(rare)
    assert run.resets == []


NO_SOCKET = """
import socket
import sys

class Sockets:
    left = 4

    def __getattr__(self, name):
        return getattr(socket, name)

    def socket(self, *how):
        if len(how) == 2 and how[1] == socket.SOCK_STREAM and Sockets.left:
            Sockets.left -= 1
            raise OSError(23)
        return socket.socket(*how)

sys.modules["socket"] = Sockets()
from flyve import backoff

backoff.Retry.failed = lambda self, *_: self.after(50) or 50
from flyve.agent import main

main()
"""


# A8
@pytest.mark.parametrize("enrolled", [False, True])
def test_no_socket_is_a_failure_with_a_name(make_device, enrolled):
    device = make_device()
    if enrolled:
        device.go_online(**SETTINGS)
        device.run.kill()
        device.board.write("/main.py", firmware.follow(NO_SOCKET))
    else:
        device.provision(main=NO_SOCKET, **SETTINGS)
    run = device.start()
    run.wait_log("link: online", 20)
    assert sum("no socket is free (" in line for line in run.log) == 4
    assert not any("begins anew" in line for line in run.log)
