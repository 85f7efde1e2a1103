"""Fetches MicroPython's WebAssembly build, whose words have 32 bits as a board's, with npm.

It runs under Node and is for figures only. The archive is kept in build/libraries/ and verified
each time, as the MicroPython libraries are.
"""

import base64
import hashlib
import re
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from flyve_mdm.build import libraries

_TIMEOUT = 120
_LARGEST = 4 * 1024 * 1024


class WebAssemblyError(Exception):
    """It cannot be had, or is not the pinned one; the text is one line that says what to do."""


@dataclass(frozen=True)
class Package:
    """A pinned package of the npm registry, and the files of it that are needed."""

    name: str
    version: str
    integrity: str  # of its archive, as npm shows it: `npm view NAME@VERSION dist.integrity`
    files: tuple[str, ...]

    @property
    def archive(self) -> str:
        """What `npm pack` calls it."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"


# It loads .mpy v6.3, as the boards do.
PINNED = Package(
    "@micropython/micropython-webassembly-pyscript",
    "1.27.0",
    "sha512-DnXx4EqxgkeaFESrS3uKrL7mLMk4mRTd0mMzaOd3HUSiZUOAE7t11uLnjf3ftF87N2xm4knHnWEKcVK4IYIUDA==",
    ("micropython.mjs", "micropython.wasm"),
)


def fetch(package: Package = PINNED) -> Path:
    """The folder with the package's files, verified; npm is asked only the first time."""
    folder = libraries.LIBRARIES / "webassembly"
    archive = libraries.LIBRARIES / package.archive
    if not archive.exists() or integrity(archive) != package.integrity:
        _download(package, archive)
    for name in package.files:
        data = _extract(package, archive, name)
        if not (folder / name).exists() or (folder / name).read_bytes() != data:
            libraries.write(folder / name, data)
    return folder


def run(script: Path, text: str, timeout: float) -> str:
    """Runs a script with Node, with the text as its input; returns what it prints. Raises
    WebAssemblyError, also when there is no Node."""
    done = _run([_program("node"), str(script)], timeout, input=text)
    if done.returncode:
        # Before the message Node quotes the line, which may be a whole minified module.
        said = [line for line in done.stderr.splitlines() if re.match(r"\w*Error", line)]
        raise WebAssemblyError(f"{script.name}: {(said or ['it says nothing'])[0][:200]}")
    return done.stdout


def _program(name: str) -> str:
    found = shutil.which(name)
    if not found:
        raise WebAssemblyError("no Node here: install Node, with npm")
    return found


def _run(argv: list[str], timeout: float, **how) -> subprocess.CompletedProcess:
    try:
        return subprocess.run(
            argv, capture_output=True, text=True, check=False, timeout=timeout, **how
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WebAssemblyError(f"cannot run {argv[0]}: {error}") from None


def integrity(archive: Path) -> str:
    """A file's hash as npm shows it."""
    return "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()


def _download(package: Package, archive: Path) -> None:
    npm = _program("npm")
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        argv = [npm, "pack", "--silent", "--no-update-notifier", "--fetch-retries=2",
                "--fetch-timeout=30000", f"{package.name}@{package.version}"]  # fmt: skip
        done = _run(argv, _TIMEOUT, cwd=folder)
        came = Path(folder) / package.archive
        if done.returncode or not came.exists():
            said = (done.stderr or done.stdout).strip().partition("\n")[0] or "it says nothing"
            raise WebAssemblyError(
                f"cannot fetch {package.archive}: check the network and try again ({said})"
            )
        found = integrity(came)
        if found != package.integrity:
            raise WebAssemblyError(
                f"{package.archive} has {found}, not the pinned {package.integrity}: not used"
            )
        came.replace(archive)


def _extract(package: Package, archive: Path, name: str) -> bytes:
    # By its exact name, written by us: nothing in the archive decides where a file goes.
    try:
        with tarfile.open(archive) as tar:
            member = tar.getmember(f"package/{name}")
            if not member.isreg() or member.size > _LARGEST:
                raise WebAssemblyError(f"{package.archive}: {name} is not a small regular file")
            return tar.extractfile(member).read()
    except (KeyError, tarfile.TarError) as error:
        raise WebAssemblyError(f"{package.archive}: cannot read {name} ({error})") from None
