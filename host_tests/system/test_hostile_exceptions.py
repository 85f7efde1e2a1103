"""No exception ends the loop."""

import re

import pytest

from host_tests.kit.packages import mpy
from host_tests.kit.site import Site
from host_tests.system import raising

pytestmark = pytest.mark.virtual

APP = b"def start(agent):\n    while True:\n        yield\n"
# What comes only once in minutes, at the end, or when somebody asks at the console.
RARE = re.compile("restart|console|stable|on_trial|'update'|stop|'record'")


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path / "board")
    made.board.set_air({"flyve": "flyve-demo"}, connect_ms=20)
    yield made
    made.close()


# A8
@pytest.mark.timeout(120)
def test_each_call_of_the_loop_raises_once_and_the_board_is_online_again_each_time(site):
    source, sites = raising.agent()
    rare = [call for call in sites if RARE.search(call)]
    site.provision(raising.main(len(sites), len(rare)), log_level="debug")
    site.board.change({
        "/flyve/agent.mpy": mpy(source, "agent.py"),
        "/apps/one/.current": b"1",
        "/apps/one/1/app.py": APP,
    })  # fmt: skip
    run = site.start()
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
backoff.Backoff.next = lambda self: 50
from flyve.agent import main

main()
"""


# A8
@pytest.mark.parametrize("enrolled", [False, True])
def test_no_socket_is_a_failure_with_a_name(site, enrolled):
    if enrolled:
        site.provision()
        site.start().wait_log("link: online", 20)
        site.run.kill()
        site.board.write("/main.py", NO_SOCKET)
    else:
        site.provision(NO_SOCKET)
    run = site.start()
    run.wait_log("link: online", 20)
    assert sum("no socket is free (" in line for line in run.log) == 4
    assert not any("begins anew" in line for line in run.log)
