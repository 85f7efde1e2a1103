"""A month of one board: its link is cut again and again, files and inventories come and go, and
nothing grows. FLYVE_MONTH=0.1 in the environment: a tenth of it.

The connections are cut by a proxy, and the month passes on the board's own clock: the firmware is
what a board has. What is checked is what the backend saw.
"""

from __future__ import annotations

import collections
import hashlib
import os
import re
import xml.etree.ElementTree as ElementTree

import pytest

from flyve_mdm.build import firmware
from flyve_mdm.measure import fleet
from host_tests.kit.backend import Proxied
from host_tests.kit.sample import chance, content

pytestmark = [pytest.mark.virtual, pytest.mark.mosquitto, pytest.mark.exact]

SOAK = [pytest.mark.soak, pytest.mark.timeout(4 * 3600)]
HEAP = {False: "84K", True: "92K"}  # by TLS; 76K is the aim
MONTH = float(os.environ.get("FLYVE_MONTH") or 1)
RECONNECTS, TIMES = 5000, 500  # downloads, inventories
PAUSE = 30 * 86400 // RECONNECTS  # seconds between two of them
YOUNG = 2  # seconds until the birth is repeated
LARGEST = 40_000  # bytes of a file
KEPT = 2  # tasks that the backend has not taken back
GROWTH = 256  # bytes: a string or two, not one for each reconnect
# The agent, and what tells its heap once on each connection, when there is nothing to do.
MAIN = """
import gc
import sys

from flyve.agent import Agent, main

rest, told = Agent._rest, 0


def watched(agent, ms):
    global told
    link = agent.online and agent.online.link
    if link and link.up and link.connects != told and not link._again and not len(link.outbox):
        if not agent.job and not any("flyve.jobs." in name for name in sys.modules):
            told = link.connects
            gc.collect()
            print("idle", told, gc.mem_alloc())
    rest(agent, ms)


Agent._rest = watched
main()
"""


class Month:
    """A board online, and what is seen of it."""

    def __init__(self, device):
        self.device, self.backend = device, device.backend
        self.reconnects = self.files = self.inventories = 0
        self.heaps, self.descriptors = [], []
        self._random = chance("month")
        self._tasks = collections.deque()
        self._seen = collections.Counter()
        self.backend.events.subscribe(self._note)
        images = {str((device.board.path / "flash.img").resolve())}
        (self._process,) = fleet.processes(images)
        self._before = self.backend.broker.connects, len(self.backend.mqtt.passages)

    def _note(self, event):
        self._seen[event.kind] += 1

    def reconnect(self):
        """The connection breaks; the board comes back, does what is to be done, and rests."""
        since, lost = len(self.device.run.log), self._seen["offline"]
        self.backend.mqtt.passages[-1].cut()
        self.reconnects += 1
        # A connection that breaks when it is young is not opened again at once.
        delay = int(self.device.run.wait_log(r"link: next try in (\d+) ms", 30, since)[1])
        self._later(delay // 1000)
        self.device.run.wait_log("link: online topic=", 30, since)
        self._pass(YOUNG)
        assert self.backend.admin.ping(17, wait=10)  # it acts on what is due
        told = self.device.run.wait_log(rf"^idle {self.reconnects + 1} (\d+)", 30, since)
        self.heaps.append(int(told[1]))
        # By the will, and by the birth.
        assert self.backend.wait_for(lambda: self._seen["offline"] > lost, 10)
        assert self.backend.wait_for(lambda: self.device.agent.online, 10)
        self.descriptors.append(len(list((self._process / "fd").iterdir())))
        self._pass(PAUSE - YOUNG)  # only now: nobody waits for an answer that would be late

    def _later(self, seconds):
        self.backend.options.ntp_offset += seconds
        return self.device.board.pass_time(seconds) if seconds else 0

    def _pass(self, seconds):
        """So much time passes for the board, which a Ping wakes; returns when it has."""
        since, ahead = len(self.device.run.log), self._later(seconds)
        assert self.backend.admin.ping(17, wait=10)
        self.device.run.wait_log(f"^board: {ahead} s ahead", 30, since)

    def download(self):
        """A file comes, whole; an older one goes."""
        data = content(self._random.randrange(1, LARGEST), self.files)
        since, name = len(self.device.run.log), f"f{self.files % 7}.bin"
        task = self.backend.tasks.deploy_file(17, data, name=name)
        assert self.backend.tasks.wait_task(task, 30) == "done"
        done = self.device.run.wait_log(r"download: done (.*)", 1, since)[1]
        digest = hashlib.sha256(data).hexdigest()
        assert done == f"path=/files/{name} bytes={len(data)} sha256={digest}"
        self.files += 1
        self._tasks.append(task)
        if len(self._tasks) > KEPT:
            self.backend.tasks.remove_task(self._tasks.popleft())

    def inventory(self):
        """An inventory comes, and counts the reconnects as we do."""
        assert self.backend.admin.inventory(17, wait=30)
        self.inventories += 1
        computer = self.backend.state.computers[self.device.agent.computer_id]
        assert computer.inventories == self.inventories + 1  # and that of the enrollment
        said = ElementTree.fromstring(computer.inventory).findtext("CONTENT/HARDWARE/DESCRIPTION")
        assert int(re.search(r"reconnects (\d+)$", said)[1]) == self.reconnects

    def check(self):
        """Nothing has grown, and the board was never off, nor online by another connection."""
        connects, passages = self._before
        assert self.backend.broker.connects - connects == self.reconnects
        assert len(self.backend.mqtt.passages) - passages == self.reconnects
        assert self.device.run.resets == [] and self._process.exists()
        heaps = self.heaps[RECONNECTS // TIMES :]  # until then things happen for the first time
        tenth = len(heaps) // 10
        # The least: what is left over on the stack may keep something alive for a while.
        first, last = min(heaps[:tenth]), min(heaps[-tenth:])
        print(
            f"{self.reconnects} reconnects, {self.files} files, {self.inventories} inventories: "
            f"heap {first}, then {last}, at most {max(heaps)}; open files {self.descriptors[-1]}"
        )
        assert last - first <= GROWTH, heaps
        assert len(set(self.descriptors)) == 1, self.descriptors
        log = "\n".join(self.device.run.log)
        assert "MemoryError" not in log and "memory allocation" not in log


@pytest.mark.parametrize(
    ("part", "tls"),
    [
        pytest.param(0.008, False, id="hours"),
        pytest.param(MONTH, False, id="month", marks=SOAK),
        pytest.param(MONTH, True, id="month-tls", marks=SOAK),
    ],
)
def test_a_month_of_reconnects_files_and_inventories_leaves_nothing_behind(make_device, part, tls):
    device = make_device(kind=Proxied, tls=tls)
    device.provision(main=firmware.follow(MAIN), reconnect_spread=0)
    device.start(heap=HEAP[tls])
    device.online()
    month = Month(device)
    every = RECONNECTS // TIMES
    for n in range(round(part * RECONNECTS)):
        if n % every == 0:
            month.download()
        month.reconnect()
        if n % every == every // 2:
            month.inventory()
    month.check()
