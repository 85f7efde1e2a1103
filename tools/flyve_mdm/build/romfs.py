"""A ROMFS image of the agent, from which a board runs it in place, with mpremote's own writer."""

import contextlib
import io
import shutil
from pathlib import Path

from mpremote.romfs import make_romfs

from flyve_mdm import BUILD, keeper
from flyve_mdm.build import firmware, libraries

PARTITION = 0x30000  # of boards/*/partitions-romfs.csv
_TOP = ("boot.py", "main.py")


def make(tree: Path) -> bytes:
    """The image of a compiled tree's modules: all but boot.py and main.py, which a board starts
    from its flash only. Raises firmware.BuildError when it does not fit the partition."""
    with keeper.folder("flyve-romfs-") as folder:
        root = folder / "rom"
        # Each module by itself, or it could not be run in place.
        loose = firmware.modules(tree)
        shutil.copytree(loose, root, ignore=lambda path, _: _TOP if Path(path) == loose else ())
        with contextlib.redirect_stdout(io.StringIO()):
            image = make_romfs(str(root), mpy_cross=False)
    if len(image) > PARTITION:
        raise firmware.BuildError(
            f"the ROMFS image has {len(image)} bytes, the partition {PARTITION}"
        )
    return image


def write(arch: str | None = None) -> Path:
    """Builds the image for an architecture (native code, if any, is of that) and returns its
    path below build/. Raises firmware.BuildError and what firmware.build() raises."""
    tree = firmware.build(arch)
    path = BUILD / f"{tree.name}.romfs"
    libraries.write(path, make(tree))
    return path
