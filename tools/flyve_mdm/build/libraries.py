"""Fetches the two pinned MicroPython libraries into build/libraries/.

They are source archives that pip cannot install. The archives are kept: with a filled cache
nothing is fetched, and each run verifies them and what was taken out of them again.
"""

import hashlib
import os
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from flyve_mdm import BUILD, CHECKOUT
from flyve_mdm.build import toolchain

LIBRARIES = BUILD / "libraries"
_TIMEOUT = (10, 30)
_RETRIES = 4
_LARGEST = 64 * 1024


class LibraryError(Exception):
    """A library cannot be had or is not the pinned one; the text is one line."""


@dataclass(frozen=True)
class Library:
    """A pinned source archive and the one file of it that goes to a board."""

    project: str
    version: str
    sha256: str
    wanted: str
    installed: str  # below /lib, without its ending

    @property
    def archive(self) -> str:
        return f"{self.project}-{self.version}.tar.gz"

    @property
    def source(self) -> Path:
        return LIBRARIES / self.wanted


PINNED = (
    Library(
        "micropython-umqtt.simple",
        "1.3.4",
        "b6a2520239e3992c63a7de9370ee9b3d9d27819a90359c521f1c0f7ccab8d12f",
        "umqtt/simple.py",
        "umqtt/simple",
    ),
    Library(
        "micropython-urequests",
        "0.9.1",
        "15ed0132bcff1a84e87049d9d7780ce26df0810fa674aa89d187e17493d6e3c5",
        "urequests/__init__.py",
        "urequests",
    ),
)


def fetch(libraries=PINNED) -> None:
    """Makes sure that each library's file lies verified below build/libraries/.

    Raises LibraryError when an archive cannot be fetched or has another hash.
    """
    missing = not all((LIBRARIES / library.archive).exists() for library in libraries)
    if missing and not CHECKOUT:  # there `make setup` says it
        print(f"fetching the MicroPython libraries into {LIBRARIES}", file=sys.stderr, flush=True)
    for library in libraries:
        archive = LIBRARIES / library.archive
        if not archive.exists() or _sha256(archive) != library.sha256:
            _download(library, archive)
        source = _extract(library, archive)
        if not library.source.exists() or library.source.read_bytes() != source:
            write(library.source, source)


def write(path: Path, data: bytes) -> None:
    """Writes a file that is there whole or not at all, also when two processes do it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _download(library: Library, archive: Path) -> None:
    # Imported here: with a filled cache neither is needed.
    import requests
    from pypi_simple import PYPI_SIMPLE_ENDPOINT, NoSuchProjectError, PyPISimple
    from urllib3.util import Retry

    retry = Retry(
        total=_RETRIES,
        backoff_factor=0.5,
        status_forcelist=(429, 500, 502, 503, 504),
        respect_retry_after_header=False,  # it may ask for an hour
    )
    session = requests.Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, requests.adapters.HTTPAdapter(max_retries=retry))
    archive.parent.mkdir(parents=True, exist_ok=True)
    part = archive.with_name(f"{archive.name}.{os.getpid()}.part")
    index = os.environ.get("PIP_INDEX_URL") or PYPI_SIMPLE_ENDPOINT
    try:
        with PyPISimple(index, session=session) as client:
            page = client.get_project_page(library.project, timeout=_TIMEOUT)
            offered = [p for p in page.packages if p.filename == library.archive]
            if not offered:
                raise LibraryError(f"the package index no longer has {library.archive}")
            client.download_package(offered[0], part, verify=False, timeout=_TIMEOUT)
        found = _sha256(part)
        if found != library.sha256:
            raise LibraryError(
                f"{library.archive} has sha256 {found}, not the pinned {library.sha256}: not used"
            )
        os.replace(part, archive)
    except NoSuchProjectError:
        raise LibraryError(f"the package index has no {library.project}") from None
    except (requests.RequestException, OSError) as error:
        reason = " ".join(str(error).split())
        raise LibraryError(
            f"cannot fetch {library.archive}: check the network and try again ({reason})"
        ) from None
    finally:
        part.unlink(missing_ok=True)


def _extract(library: Library, archive: Path) -> bytes:
    name = f"{library.project}-{library.version}/{library.wanted}"
    try:
        return member(archive, name, _LARGEST)
    except ValueError as error:
        raise LibraryError(str(error)) from None


def member(archive: Path, name: str, largest: int) -> bytes:
    """A file in a tar archive, by its exact name: nothing in there decides where a file goes.
    Raises ValueError when there is none such, or it has more than `largest` bytes."""
    try:
        with tarfile.open(archive) as tar:
            found = tar.getmember(name)
            if not found.isreg() or found.size > largest:
                raise ValueError(f"{archive.name}: {name} is not a small regular file")
            return tar.extractfile(found).read()
    except (KeyError, tarfile.TarError) as error:
        raise ValueError(f"{archive.name}: cannot read {name} ({error})") from None


def main() -> None:
    """`python -m flyve_mdm.build.libraries`: fetches the libraries and checks the interpreter."""
    try:
        toolchain.check()
        fetch()
    except (LibraryError, toolchain.ToolchainError, OSError) as error:
        sys.exit(f"error: {error}")
    for library in PINNED:
        print(f"{library.project} {library.version}: verified")


if __name__ == "__main__":
    main()
