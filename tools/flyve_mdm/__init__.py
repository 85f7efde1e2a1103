"""The host side of the agent: the `flyve` command, the build and the simulated backend."""

import sys
from pathlib import Path

# Of the agent and the tools: wheel, zip and package.json. The firmware's own VERSION is what a
# backend demands of an agent.
VERSION = "1.0.0"
_PACKAGE = Path(__file__).resolve().parent
_DATA = _PACKAGE / "_data"  # firmware/ and boards/virtual/, where a wheel has them


def _cache() -> Path:
    """A folder of the user's for what this version compiles and fetches."""
    import platformdirs

    return platformdirs.user_cache_path("flyve-mdm-esp32", appauthor=False, version=VERSION)


CHECKOUT = not _DATA.is_dir()
ROOT = _PACKAGE.parent.parent if CHECKOUT else _DATA
BUILD = ROOT / "build" if CHECKOUT else _cache()
# What to do when a part of the installation is missing.
SETUP = "run `make setup`" if CHECKOUT else "install flyve-mdm-esp32 anew"


def need_checkout(what: str) -> None:
    """Exits, with one line, where the tests and documents are not at hand."""
    if not (ROOT / "host_tests").is_dir():
        sys.exit(f"Error: {what} needs a checkout of the repository")
