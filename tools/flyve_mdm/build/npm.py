"""Packages of the npm registry, pinned: fetched with npm the first time, kept in
build/libraries/, and verified each time, as the MicroPython libraries are."""

import base64
import hashlib
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from flyve_mdm.build import libraries

_TIMEOUT = 120


class NpmError(Exception):
    """It cannot be had, or is not the pinned one; the text is one line that says what to do."""


@dataclass(frozen=True)
class Package:
    """A pinned package, and the files of it that are needed."""

    name: str
    version: str
    integrity: str  # of its archive, as npm shows it: `npm view NAME@VERSION dist.integrity`
    files: tuple[str, ...]
    largest: int = 4 << 20  # bytes of a file

    @property
    def archive(self) -> str:
        """What `npm pack` calls it."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"


def fetch(package: Package) -> Path:
    """The folder with the package's files, verified; npm is asked only the first time."""
    archive = libraries.LIBRARIES / package.archive
    folder = archive.with_suffix("")
    if not archive.exists() or integrity(archive) != package.integrity:
        _download(package, archive)
    for name in package.files:
        data = _extract(package, archive, name)
        if not (folder / name).exists() or (folder / name).read_bytes() != data:
            libraries.write(folder / name, data)
    return folder


def program(name: str) -> str:
    """The path of node or npm; raises NpmError without."""
    found = shutil.which(name)
    if not found:
        raise NpmError("no Node here: install Node, with npm")
    return found


def run(argv: list[str], timeout: float, **how) -> subprocess.CompletedProcess:
    """Runs one of these programs; raises NpmError when it does not start or end."""
    try:
        return subprocess.run(
            argv, capture_output=True, text=True, check=False, timeout=timeout, **how
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NpmError(f"cannot run {argv[0]}: {error}") from None


def integrity(archive: Path) -> str:
    """A file's hash as npm shows it."""
    return "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()


def _download(package: Package, archive: Path) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        argv = [program("npm"), "pack", "--silent", "--no-update-notifier", "--fetch-retries=2",
                "--fetch-timeout=30000", f"{package.name}@{package.version}"]  # fmt: skip
        done = run(argv, _TIMEOUT, cwd=folder)
        came = Path(folder) / package.archive
        if done.returncode or not came.exists():
            said = (done.stderr or done.stdout).strip().partition("\n")[0] or "it says nothing"
            raise NpmError(
                f"cannot fetch {package.archive}: check the network and try again ({said})"
            )
        found = integrity(came)
        if found != package.integrity:
            raise NpmError(
                f"{package.archive} has {found}, not the pinned {package.integrity}: not used"
            )
        came.replace(archive)


def _extract(package: Package, archive: Path, name: str) -> bytes:
    try:
        return libraries.member(archive, f"package/{name}", package.largest)
    except ValueError as error:
        raise NpmError(str(error)) from None
