"""The agent as a ROMFS image and as a package for mip."""

import hashlib
import subprocess
import sys

import pytest

from flyve_mdm import ROOT
from flyve_mdm.board.board import VirtualBoard
from flyve_mdm.build import firmware, mip, romfs

# Ends the search path that boot.py makes with what a board with ROMFS has from the start.
BOOT = """
import sys, vfs
with open("/flyve.romfs", "rb") as f:
    vfs.mount(vfs.VfsRom(f.read()), "/rom")
sys.path += ["/rom", "/rom/lib"]
exec(open("/real.py").read())
"""
MAIN = """
import os, sys
from flyve import agent
from flyve.jobs import jsonpick
import umqtt.simple, urequests
print("path", sys.path)
print("from", agent.__file__, umqtt.simple.__file__, urequests.__file__)
print("list", sorted(os.listdir("/rom")), len(os.listdir("/rom/flyve")))
"""


@pytest.mark.exact
def test_the_agent_runs_from_a_romfs_image(tmp_path):
    tree = firmware.build()
    board = VirtualBoard.create(tmp_path / "board")
    files = {"/flyve.romfs": romfs.make(tree), "/real.py": (tree / "boot.py").read_bytes()}
    board.change({**files, "/boot.py": BOOT.encode(), "/main.py": MAIN.encode()})
    with board.start(heap="1M") as run:
        assert run.wait() == 0, run.log
    log = "\n".join(run.log)
    assert "path ['', '/lib', '/rom', '/rom/lib', '.frozen']" in log
    assert "from /rom/flyve/agent.mpy /rom/lib/umqtt/simple.mpy /rom/lib/urequests.mpy" in log
    modules = len(list((firmware.modules(tree) / "flyve").iterdir()))
    assert f"list ['flyve', 'lib'] {modules}" in log


@pytest.mark.exact
def test_the_image_holds_each_file_as_it_was_compiled(tmp_path):
    tree = firmware.build()
    board = VirtualBoard.create(tmp_path / "board")
    board.write("/flyve.romfs", romfs.make(tree))
    board.write(
        "/main.py",
        "import vfs, os, hashlib, binascii\n"
        "vfs.mount(vfs.VfsRom(open('/flyve.romfs', 'rb').read()), '/rom')\n"
        "for f in ('flyve/', 'flyve/jobs/'):\n"
        "    for n in sorted(os.listdir('/rom/' + f)):\n"
        "        if n != 'jobs':\n"
        "            h = hashlib.sha256(open('/rom/' + f + n, 'rb').read())\n"
        "            print(f + n, binascii.hexlify(h.digest()).decode())\n",
    )
    with board.start(heap="1M") as run:
        assert run.wait() == 0, run.log
    loose = firmware.modules(tree)
    for path in (loose / "flyve").rglob("*.mpy"):
        name = path.relative_to(loose).as_posix()
        assert f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}" in run.log


def test_the_package_lists_what_a_deployment_brings():
    assert mip.PACKAGE.read_text() == mip.text(mip.urls()), (
        "write it anew: python -m flyve_mdm.build.mip"
    )


@pytest.mark.exact
def test_mip_installs_the_package_from_a_checkout(tmp_path):
    firmware.build()
    board = VirtualBoard.create(tmp_path / "board")
    urls = mip.urls()
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("firmware", "build"):
        (checkout / name).symlink_to(ROOT / name)
    (checkout / "package.json").write_text(mip.text(urls))
    with board.start(port=tmp_path / "port") as run:
        command = [sys.executable, "-m", "mpremote", "connect", run.wait_port()]
        command += ["mip", "install", "--target", "/", "package.json"]
        subprocess.run(command, cwd=checkout, capture_output=True, timeout=120, check=True)
    wanted = {f"/{target}": (ROOT / source).read_bytes() for target, source in urls}
    assert {path: board.read(path) for path, _ in board.files()} == wanted
