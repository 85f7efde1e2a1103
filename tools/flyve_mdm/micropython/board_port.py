"""Runs a unit test file on a virtual board of its own: boards/virtual/launch.py without the
supervisor, for a board that is started once and never restarts."""

import json
import os
from pathlib import Path

from flyve_mdm.board import image
from flyve_mdm.build import firmware, probes, toolchain
from flyve_mdm.micropython.child import Child
from flyve_mdm.micropython.process import UnixPort, Workshop

_VFS, _NVS = 2 << 20, 24 << 10
_STATE = 4096
# Type, subtype, address, size, label, encrypted, as Partition.info() shows them.
_PARTITIONS = (
    (1, 2, 0x9000, _NVS, "nvs", False),
    (0, 0, 0x10000, 0x1F0000, "factory", False),
    (1, 129, 0x200000, _VFS, "vfs", False),
)
_INTERPRETER_HEAP = 4 << 20  # what a test may not use of it, launch.py takes away
_DEFAULT_HEAP = "1M"
_POWER_ON = 1


class BoardPort(UnixPort):
    """The unix port as an ESP32. machine.reset() and a power cut end it like a crash."""

    def start(self, workshop: Workshop, statement: str) -> Child:
        files = {
            "vfs": _image(workshop.modules, statement),
            "nvs": b"\xff" * _NVS,
            "state": bytes(_STATE),
            "inputs": b'{"aps": [], "connect_ms": 0}',
        }
        fds = {}
        try:
            for name, data in files.items():
                path = workshop.root / name
                path.write_bytes(data)
                fds[name] = os.open(path, os.O_RDWR)
            # Nobody listens to the board, and a leash that ends lets it kill itself.
            fds["control"] = os.open(os.devnull, os.O_WRONLY)
            fds["leash"] = os.open(os.devnull, os.O_RDONLY)
            return Child(self._argv(fds), workshop.cwd, tuple(fds.values()))
        finally:
            for fd in fds.values():
                os.close(fd)

    def _argv(self, fds: dict) -> list:
        board = {
            "fds": fds,
            "partitions": _PARTITIONS,
            "slot": "factory",
            "cut_after": 0,
            "torn": 0,
            "lazy": False,
            "read_us": 0,
            "mac": "240ac4000001",
            "cause": _POWER_ON,
            "freq": 160_000_000,
            "boot_pin": 0,
            "heap": probes.heap(_bytes(self.heap or _DEFAULT_HEAP)),
        }
        # Not as an argument: MicroPython makes each a qstr, of 255 bytes at most.
        arguments = ["launch", json.dumps(board)]
        start = (
            f"import sys; sys.argv[:] = {arguments!r}; "
            f"sys.path[:] = [{str(firmware.VIRTUAL)!r}, '.frozen']; import launch"
        )
        return [toolchain.micropython(), "-X", f"heapsize={_INTERPRETER_HEAP}", "-c", start]


def _image(modules: Path, statement: str) -> bytes:
    files = image.Files(image.blank(_VFS))
    for folder, below in ((firmware.TREE, ""), (modules, "lib/")):
        for path in sorted(folder.rglob("*.mpy")):
            files.write(f"/{below}{path.relative_to(folder).as_posix()}", path.read_bytes())
    main = f"import sys\nsys.path[:] = ['', '/lib', '.frozen']\nimport runner\n{statement}\n"
    files.write("/main.py", main.encode())
    return files.image()


def _bytes(size: str) -> int:
    units = {"K": 1024, "M": 1024 * 1024}
    return int(size.rstrip("KM")) * units.get(size[-1], 1)
