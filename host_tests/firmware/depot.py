"""A board that does nothing but download, a real backend, and a front between them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import time
from pathlib import Path

from flyve_mdm.backend.model import DEVICE, User, token
from flyve_mdm.backend.server import Backend
from flyve_mdm.board.board import VirtualBoard
from flyve_mdm.board.log import BoardEnded
from flyve_mdm.build import firmware
from host_tests.kit.peers.front import Front

DRIVER = Path(__file__).parent / "inside" / "download_main.py"
PATH = "/files/a/b.bin"
STAGED = "/apps.new"
JOURNALS = ("/part.json", "/part.slot")
SIZES = (0, 1, 2, 4095, 4096, 4097, 16383, 16384, 16385, 16386, 32769, 65537)
LARGE = 1_000_000


class Depot:
    """A backend with an agent's account, and a board before its front."""

    def __init__(self, folder: Path, template: Path, **backend):
        self.backend = Backend(**backend)
        self.backend.start()
        self.front = Front(self.backend.web.port)
        account = {"login": "agent", "emails": [], "api_token": token(40), "profiles": [DEVICE]}
        self.token = self.backend.state.add("users", User, **account).api_token
        shutil.copytree(template, folder)
        self.board = VirtualBoard(folder)
        self.run = None
        self.log: list[str] = []
        self._params = {}

    @property
    def tls(self) -> bool:
        return self.backend.certificates is not None

    def offer(self, data: bytes, name: str = "b.bin"):
        """Uploads a file, which the board is then to fetch."""
        self.file = self.backend.tasks.add_file(data, name)
        return self.file

    def prepare(self, fresh: bool = False, **params) -> None:
        """Tells the board what to do when it starts; `fresh`: without the file of before."""
        origin = self.backend.origin if self.tls else f"http://127.0.0.1:{self.front.port}"
        self._params = {
            "url": f"{origin}/apirest.php",
            "token": self.token,
            "path": PATH,
            "endpoints": [f"PluginFlyvemdmFile/{self.file.id}"],
            **params,
        }
        files = {"/params.json": json.dumps(self._params).encode()}
        self.board.change({**files, PATH: None} if fresh else files)

    def edit_parts(self, change) -> None:
        """Edits the answers that bring bytes."""
        self.front.edit = lambda request, answer: request.bytes_wanted and change(request, answer)

    def start(self, **how):
        """Switches the board on."""
        self.run = self.board.start(**{"heap": "100K", **how})
        return self.run

    def finish(self, timeout: float = 30, **how) -> list[str]:
        """Lets the board run to its end and returns its log."""
        self.start(**how)
        if self._params.get("restart"):
            # What has started on trial does not end by itself: the watchdog would bite.
            with contextlib.suppress(BoardEnded):
                self.run.wait_log("^over$", timeout)
            self.run.kill()
        self.code = self.run.wait(timeout)
        self.log = list(self.run.log)
        return self.log

    def fetch(self, fresh: bool = False, **params) -> bytes | None:
        """One whole run: the file that is on the board then, None when there is none."""
        self.prepare(fresh, **params)
        self.finish()
        assert self.log[-3:-2] == ["over"], self.log
        return self.stored()

    def update(self, image: bytes, **params) -> list[str]:
        """Offers a firmware image, and lets the board update itself with it; returns the log."""
        self.file = self.backend.tasks.add_package(image, "firmware", "firmware.bin")
        self.prepare(**{**self.firmware, **params})
        return self.finish()

    @property
    def firmware(self) -> dict:
        """What makes the board take what comes for firmware, and start it."""
        endpoint = f"PluginFlyvemdmPackage/{self.file.id}"
        return {"firmware": True, "restart": True, "path": STAGED, "endpoints": [endpoint]}

    def slot(self, label: str = "ota_1") -> bytes:
        """All that is in an OTA partition."""
        return (self.board.path / f"{label}.img").read_bytes()

    def fetch_all(self, offered: list, timeout: float = 60, **params) -> None:
        """Fetches files one after the other in one life of the board; each must be exact."""
        endpoints = [f"PluginFlyvemdmFile/{file.id}" for file in offered]
        self.prepare(endpoints=endpoints, **params)
        self.finish(timeout)
        files = [line[5:] for line in self.log if line.startswith("file ")]
        assert files == [sha256(file.data) for file in offered], self.log

    def stored(self, path: str = PATH) -> bytes | None:
        """A file on the board."""
        try:
            return self.board.read(path)
        except FileNotFoundError:
            return None

    def leftovers(self) -> list[str]:
        """What is on the flash of a download in progress."""
        found = [path for path, _ in self.board.files()]
        return [p for p in found if p in JOURNALS or p.startswith(STAGED) or p.endswith("/%part")]

    def received(self) -> int:
        """Bytes of the file that the last run's board read, doubles included."""
        return received(self.run.log)

    def save(self) -> None:
        """Keeps the flash as it is, for restore()."""
        for name in self._images():
            shutil.copyfile(self.board.path / name, self.board.path / f"{name}.saved")

    def restore(self) -> None:
        """Brings the flash back that was saved."""
        for name in self._images():
            shutil.copyfile(self.board.path / f"{name}.saved", self.board.path / name)

    def _images(self) -> list[str]:
        # A file alone changes nothing but the filesystem.
        images = [path.name for path in self.board.path.glob("ota*.img")]
        return ["flash.img", *(["nvs.bin", *images] if images else [])]

    def failure(self) -> str:
        """What the last attempt of the last run said why it failed."""
        found = [line for line in self.log if line.startswith("failed ")]
        return found[-1][7:] if found else ""

    def done(self) -> list[tuple[str, int, str]]:
        """Path, bytes and hash of each file that the last run's log tells of."""
        text = r"INFO download: done path=(\S+) bytes=(\d+) sha256=([0-9a-f]{64})$"
        found = [m for m in (re.search(text, line) for line in self.log) if m]
        return [(m[1], int(m[2]), m[3]) for m in found]

    def close(self) -> None:
        if self.run:
            self.run.kill()
        self.front.close()
        self.backend.stop()


def received(log: list[str]) -> int:
    """Bytes of files that the board says to have read."""
    return sum(int(line[4:]) for line in log if line.startswith("got "))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def until(condition, timeout: float = 10) -> None:
    """Waits for what another thread will bring about."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.002)


def blank_board(folder: Path, flash_size: int = 2 << 20, ota: bool = False) -> Path:
    """Makes a board whose main.py is the driver."""
    board = VirtualBoard.create(folder, flash_size=flash_size, ota=ota)
    board.deploy()
    board.write("/main.py", firmware.follow(DRIVER.read_text()))
    return board.path
