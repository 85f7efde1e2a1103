"""The package as `pip install .` makes it, away from its checkout."""

import configparser
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

from flyve_mdm import BUILD, ROOT, VERSION
from flyve_mdm.build import libraries

_TAKEN = ("tools", "firmware", "boards", "pyproject.toml", "README.md", "LICENSE")
_BUILD = "import sys; from setuptools import build_meta as b; getattr(b, sys.argv[1])(sys.argv[2])"

_RUN = "b = B('a board'); r = b.start(); r.wait_log('starts after power-on'); r.kill()"


def _built(kind, source, out):
    out.mkdir()
    argv = [sys.executable, "-c", _BUILD, f"build_{kind}", out]
    done = subprocess.run(
        argv, cwd=source, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "importable package" not in done.stderr  # what setuptools says of a forgotten one
    (made,) = out.iterdir()
    return made


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A wheel out of the source archive, unpacked."""
    folder = tmp_path_factory.mktemp("a blank")
    copy = folder / "copy"
    copy.mkdir()
    for name in _TAKEN:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, copy)
    with tarfile.open(_built("sdist", copy, folder / "sdist")) as archive:
        archive.extractall(folder)
    (source,) = folder.glob("flyve_mdm_esp32-*")
    with zipfile.ZipFile(_built("wheel", source, folder / "wheel")) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.fixture
def flyve(installed, tmp_path):
    """Runs the command in an empty folder, with a cache of its own."""
    (tmp_path / "empty").mkdir()

    def run(*words, start=("-m", "flyve_mdm.cli"), **environment):
        cache = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
        own = {**cache, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            [sys.executable, *start, *words], cwd=tmp_path / "empty",
            env={**os.environ, **own, **environment}, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip

    return run


def _files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


# B5
def test_a_wheel_holds_the_package_with_its_firmware_and_nothing_else(installed):
    files = {name for name in _files(installed) if ".dist-info/" not in name}
    wanted = set()
    for here, there in (
        ("tools/flyve_mdm", ""),
        ("firmware", "_data/firmware/"),
        ("boards/virtual", "_data/boards/virtual/"),
    ):
        own = {name for name in _files(ROOT / here) if "__pycache__/" not in name}
        wanted |= {f"flyve_mdm/{there}{name}" for name in own}
    for board in ROOT.glob("boards/ESP32_*"):  # for `flyve image --slots 2`
        wanted |= {
            f"flyve_mdm/_data/boards/{board.name}/{n}" for n in ("partitions.csv", "manifest.py")
        }
    assert files == wanted
    entry = configparser.ConfigParser()
    entry.read(installed.glob("*.dist-info/entry_points.txt"))
    assert dict(entry["console_scripts"]) == {"flyve": "flyve_mdm.cli:main"}


# B5
def test_the_command_of_a_wheel_works_without_a_checkout(installed, flyve, tmp_path):
    code = "import flyve_mdm as f; print(f.__file__, f.ROOT, f.BUILD, sep='\\n')"
    package, root, build = flyve(start=("-c", code)).stdout.splitlines()
    assert package == str(installed / "flyve_mdm" / "__init__.py")
    assert root == str(installed / "flyve_mdm" / "_data")
    assert build.startswith(str(tmp_path)) and str(installed) not in build
    before = _files(installed)
    assert flyve("--version").stdout == f"flyve, version {VERSION}\n"
    (packed,) = installed.glob("*.dist-info/METADATA")
    assert f"\nVersion: {VERSION}\n" in packed.read_text()
    done = flyve("--help")
    assert done.returncode == 0 and " demo " in done.stdout, done.stderr
    shutil.copytree(BUILD / "libraries", f"{build}/libraries")  # for there may be no index
    done = flyve("board", "create", "a board")
    assert (done.returncode, done.stderr) == (0, "")
    assert "files installed" in done.stdout
    code = f"from flyve_mdm.board.board import VirtualBoard as B; {_RUN}"
    done = flyve(start=("-c", code))
    assert done.returncode == 0, done.stderr
    assert _files(installed) == before


# B5
def test_a_wheel_says_that_it_fetches_and_why_it_cannot(flyve):
    done = flyve("demo", PIP_INDEX_URL="http://127.0.0.1:9/simple")
    first, second = done.stderr.splitlines()
    assert done.returncode == 1
    assert first.startswith("fetching the MicroPython libraries into ")
    assert second.startswith(f"Error: cannot fetch {libraries.PINNED[0].archive}: ")


# B5
@pytest.mark.parametrize(
    "name",
    [
        "bench --write", "size --write", "firmware", "measure.coverage", "measure.mutation",
        "build.mip", "build.release",
    ],
)  # fmt: skip
def test_what_needs_a_checkout_says_so_in_one_line(flyve, name):
    done = flyve(start=("-m", f"flyve_mdm.{name}")) if "." in name else flyve(*name.split())
    assert done.returncode == 1
    assert done.stderr == f"Error: {name.rpartition('.')[2]} needs a checkout of the repository\n"
