"""What the tests of packages share: boards, packages of each kind, and what is on a flash."""

import functools
import io
import shutil
import tarfile
import tempfile
import textwrap
from pathlib import Path

from flyve_mdm.board import bootloader
from flyve_mdm.board.board import VirtualBoard
from flyve_mdm.board.folder import Folder
from flyve_mdm.build import firmware, toolchain

CUT = 75
AGENT = "flyve-mdm-esp32"
STAGED = "/staged"

# In front of each script: run(job) drives a job to its end, install() tells how one ended.
_PREAMBLE = """
import time
from flyve import registry

slowest = 0

def run(job):
    global slowest
    while True:
        start = time.ticks_ms()
        try:
            next(job)
        except StopIteration as e:
            return e.value
        finally:
            slowest = max(slowest, time.ticks_diff(time.ticks_ms(), start))

def install(name, version, path="/staged"):
    from flyve.jobs import packages
    try:
        print("restart" if run(packages.install(path, name, version)) else "done", slowest)
    except registry.Failed as e:
        print("failed:", e)
    except registry.Incompatible as e:
        print("incompatible:", e)
"""


class Ground:
    """Makes boards out of the template's."""

    def __init__(self, template: Path, folder: Path):
        self._template, self._folder = template, folder
        self._runs = []
        self._count = 0

    def board(self, script: str = "", ota: bool = False, **files: bytes) -> VirtualBoard:
        """A board with that /main.py; `staged` and other files by their name at the root."""
        made = self.copy(VirtualBoard(self._template / ("ota" if ota else "stock")))
        self.script(made, script)
        if files:
            made.change({f"/{name}": data for name, data in files.items()})
        return made

    def copy(self, board: VirtualBoard) -> VirtualBoard:
        """A board with the same contents."""
        self._count += 1
        return VirtualBoard(shutil.copytree(board.path, self._folder / f"board{self._count}"))

    def scrap(self, board: VirtualBoard) -> None:
        """Removes a board that is off: there may be hundreds in a test."""
        shutil.rmtree(board.path)

    def script(self, board: VirtualBoard, script: str) -> None:
        """Replaces /main.py."""
        board.write("/main.py", _PREAMBLE + textwrap.dedent(script))

    def start(self, board: VirtualBoard, **how):
        """Switches a board on until the test ends."""
        self._runs.append(board.start(**how))
        return self._runs[-1]

    def run(self, board: VirtualBoard, script: str | None = None, **how) -> list[str]:
        """The lines that the board prints until its script ends."""
        if script is not None:
            self.script(board, script)
        run = self.start(board, **how)
        run.wait(20)
        lines = [line for line in run.log if not line.startswith(("board:", "flash ops"))]
        print(*lines, sep="\n")
        return lines

    def close(self) -> None:
        for run in self._runs:
            run.stop()


def tar(members: dict, format: int = tarfile.USTAR_FORMAT) -> bytes:
    """A tar archive; a value is a file's bytes, None for a folder, or a ready TarInfo."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for name, data in members.items():
            info = data if isinstance(data, tarfile.TarInfo) else tarfile.TarInfo(name)
            if isinstance(data, bytes):
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
            else:
                info.type = info.type if data else tarfile.DIRTYPE
                archive.addfile(info)
    return out.getvalue()


@functools.cache
def mpy(source: str, name: str = "app.py") -> bytes:
    """A compiled module."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(textwrap.dedent(source))
        firmware.compile_file(path, path.with_suffix(".mpy"), name, 3, toolchain.check())
        return path.with_suffix(".mpy").read_bytes()


def agent_bundle(source: str) -> bytes:
    """The firmware as a bundle, with another agent.py."""
    members = {
        path.relative_to(firmware.TREE).as_posix(): path.read_bytes()
        for path in sorted(firmware.TREE.rglob("*.mpy"))
    }
    return tar({**members, "flyve/agent.mpy": mpy(source, "agent.py")})


def applications(board: VirtualBoard) -> dict:
    """What a reader of the flash takes for installed: name -> {path: bytes}."""
    paths = [path for path, _ in board.files()]
    found = {}
    for path in paths:
        if path.endswith("/.current"):
            base = path.removesuffix("/.current")
            folder = f"{base}/{board.read(path).split()[0].decode()}/"
            found[base.removeprefix("/apps/")] = {
                p.removeprefix(folder): board.read(p) for p in paths if p.startswith(folder)
            }
    return found


def entry(board: VirtualBoard, key: str) -> int:
    """An integer of the agent's in NVS."""
    return {k: value for _, k, _, value in board.nvs()}.get(key, 0)


def boot_slot(board: VirtualBoard) -> str:
    """The label of the partition that the next start takes; it is then on trial."""
    return bootloader.Bootloader(Folder(board.path)).start().slot
