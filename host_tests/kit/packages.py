"""Packages of each kind, and what is on a flash of them."""

import functools
import io
import re
import tarfile
import tempfile
import textwrap
from pathlib import Path

from flyve_mdm.board import bootloader
from flyve_mdm.board.board import VirtualBoard
from flyve_mdm.board.folder import Folder
from flyve_mdm.build import archive, firmware, toolchain

AGENT = "flyve-mdm-esp32"
# The version of a newer agent.
NEW = "2.0.1-esp32"
STAGED = "/staged"


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
        path.write_text(firmware.follow(textwrap.dedent(source)))
        firmware.compile_file(path, path.with_suffix(".mpy"), name, 3, toolchain.check())
        return path.with_suffix(".mpy").read_bytes()


def agent_archive(**changed: str) -> bytes:
    """The agent's modules as they lie on a board, with other sources for some of them."""
    modules = archive.unpack((firmware.TREE / firmware.ARCHIVE).read_bytes())
    modules.update((name, mpy(source, f"{name}.py")) for name, source in changed.items())
    return archive.pack(modules)


def package(version: str) -> bytes:
    """The package `flyve`, compiled, of an agent with that version."""
    (step,) = (step for step in firmware.board_steps() if step.target == "flyve/__init__.mpy")
    source = re.sub("(?m)^VERSION = .*", f'VERSION = "{version}"', step.content().decode())
    return mpy(source, "__init__.py")


def agent_bundle(version: str = "", **changed: str) -> bytes:
    """The firmware as a bundle, of another version or with other sources for some modules."""
    members = {
        path.relative_to(firmware.TREE).as_posix(): path.read_bytes()
        for path in sorted(firmware.TREE.rglob("*.mpy"))
    }
    members[firmware.ARCHIVE] = agent_archive(**changed)
    if version:
        members["flyve/__init__.mpy"] = package(version)
    return tar(members)


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


def fill_nvs(board: VirtualBoard) -> None:
    """Fills NVS with what another program keeps there."""
    size, count = 1900, 0
    while size > 10:
        try:
            board.nvs_set("other", f"k{count}", bytes(size))
            count += 1
        except OSError:
            size //= 2
