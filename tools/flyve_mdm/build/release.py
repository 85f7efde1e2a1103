"""`make release`: what is published of a version, in build/release/, twice the same bytes.

All is built from what git has at HEAD, in a folder of its own: no file that is not committed, no
earlier build, no path and no time of this machine gets in. The folder is flat, as the releases of
GitHub and GitLab are, so that package.json finds the files beside it there, too.
"""

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from flyve_mdm import BUILD, ROOT, VERSION, keeper, need_checkout
from flyve_mdm.build import changelog, firmware_image, libraries, mip

OUT = BUILD / "release"
NAME = "flyve-mdm-esp32"
TAG = f"v{VERSION}"
SUMS = "SHA256SUMS"
_INIT = "firmware/flyve/__init__.py"
_BUILD_WAIT = 600
# What builds something else than what everybody gets.
_NOT_FOR_A_RELEASE = ("READABLE", "COVERAGE", "MPY_CROSS")
_FIRMWARE = "import sys; from flyve_mdm.build import firmware as f; f.build(sys.argv[1])"
_WHEEL = "import sys; from setuptools import build_meta as b; b.build_wheel(sys.argv[1])"


class ReleaseError(Exception):
    """There can be no release; one line that says what to do."""


def check() -> str:
    """The section of the changelog for this version; raises ReleaseError if it must not be
    released as it stands."""
    if not (ROOT / ".git").exists():
        raise ReleaseError("here is no git history: make a release in a clone of the repository")
    changed = _git("status", "--porcelain").splitlines()
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise ReleaseError(f"{changed[0][3:]}{more} is not committed: commit it, or take it away")
    if _git("tag", "--list", TAG) and TAG not in _tags_here():
        other = _git("rev-parse", "--short", f"{TAG}^{{commit}}")
        raise ReleaseError(
            f"{TAG} is the tag of another commit, {other}: raise VERSION in "
            "tools/flyve_mdm/__init__.py"
        )
    _check_build()
    try:
        return changelog.section((ROOT / "CHANGELOG.md").read_text(), VERSION)
    except changelog.ChangelogError as error:
        raise ReleaseError(f"CHANGELOG.md: {error}") from None


def _check_build() -> None:
    """Of two agents with the same VERSION a board runs the one with the higher BUILD."""
    tags = _git("tag", "--list", "--merged", "HEAD", "--sort=-v:refname", "v[0-9]*").split()
    before = [tag for tag in tags if tag != TAG][:1]
    if not before or not _git("diff", "--name-only", before[0], "HEAD", "--", "firmware"):
        return
    old = _git("show", f"{before[0]}:{_INIT}")
    own = (ROOT / _INIT).read_text()
    if _number(own) <= _number(old):
        raise ReleaseError(
            f"BUILD in {_INIT} is as in {before[0]}, but the agent has changed: raise it, or a "
            "board that has updated itself will not run this agent"
        )


def _number(source: str) -> int:
    return int(re.search(r"^BUILD = (\d+)", source, re.M)[1])


def make() -> list[Path]:
    """Builds all of it into OUT and returns the files. Raises ReleaseError."""
    section = check()
    epoch = int(_git("log", "-1", "--format=%ct"))
    with keeper.folder("flyve-release-") as folder:
        source, out = folder / "source", folder / "release"
        out.mkdir()
        _export(source)
        _wheel(source, out, epoch)
        agent = _agent(source, epoch)
        _write_agent(agent, out, epoch)
        (out / "CHANGES.md").write_text(section)
        for name in ("LICENSE", "NOTICE"):
            shutil.copy(source / name, out)
        _write_sums(out)
        shutil.rmtree(OUT, ignore_errors=True)
        shutil.copytree(out, OUT)
    return sorted(OUT.iterdir())


def _export(source: Path) -> None:
    """What is committed, with the modes and times that git gives."""
    data = _git_bytes("-c", "tar.umask=0022", "archive", "HEAD")
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        archive.extractall(source)


def _wheel(source: Path, out: Path, epoch: int) -> None:
    _run("the wheel", ["-c", _WHEEL, str(out)], source, epoch)


def _agent(source: Path, epoch: int) -> dict[str, bytes]:
    """The files for a board, by their path there."""
    fetched = libraries.LIBRARIES
    if fetched.is_dir():
        shutil.copytree(fetched, source / "build" / fetched.name)
    trees = []
    for arch in sorted(set(firmware_image.ARCH.values())):
        _run("the agent", ["-c", _FIRMWARE, arch], source, epoch)
        tree = source / "build" / arch
        paths = (path for path in sorted(tree.rglob("*")) if path.is_file())
        trees.append({path.relative_to(tree).as_posix(): path.read_bytes() for path in paths})
    if any(tree != trees[0] for tree in trees):
        raise ReleaseError("the agent has native code: a file for all chips cannot hold it")
    return trees[0]


def _write_agent(agent: Mapping[str, bytes], out: Path, epoch: int) -> None:
    """The zip, and for mip package.json with the files of which it tells."""
    # Not compressed: that may be other bytes elsewhere, and saves little of .mpy files.
    with zipfile.ZipFile(out / f"{NAME}-{VERSION}.zip", "w") as archive:
        for path, data in agent.items():
            entry = zipfile.ZipInfo(path, time.gmtime(epoch)[:6])
            entry.create_system, entry.external_attr = 3, 0o100644 << 16  # Unix, rw-r--r--
            archive.writestr(entry, data)
    beside = {path: path.replace("/", ".") for path in agent}
    for path, name in beside.items():
        (out / name).write_bytes(agent[path])
    (out / "package.json").write_text(mip.text(beside.items()))


def _write_sums(out: Path) -> None:
    sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in out.iterdir()}
    (out / SUMS).write_text("".join(f"{sums[name]}  {name}\n" for name in sorted(sums)))


def _run(what: str, argv: Iterable[str], source: Path, epoch: int) -> None:
    """A step of the build, in what was exported."""
    kept = {name: text for name, text in os.environ.items() if name not in _NOT_FOR_A_RELEASE}
    own = {"PYTHONPATH": str(source / "tools"), "SOURCE_DATE_EPOCH": str(epoch)}
    done = subprocess.run(
        [sys.executable, *argv], cwd=source, env={**kept, **own}, umask=0o022,
        capture_output=True, text=True, timeout=_BUILD_WAIT, check=False,
    )  # fmt: skip
    if done.returncode:
        said = done.stderr.strip().rpartition("\n")[2] or "it says nothing"
        raise ReleaseError(f"cannot build {what}: {said}")


def _tags_here() -> list[str]:
    return _git("tag", "--points-at", "HEAD").split()


def _git(*argv: str) -> str:
    return _git_bytes(*argv).decode(errors="replace").rstrip("\n")


def _git_bytes(*argv: str) -> bytes:
    try:
        done = subprocess.run(["git", *argv], cwd=ROOT, capture_output=True, check=False)
    except FileNotFoundError:
        raise ReleaseError("git is not installed: a release is made of what it has") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise ReleaseError(f"git {argv[0]}: {said}")
    return done.stdout


def main() -> None:
    """`python -m flyve_mdm.build.release`."""
    need_checkout("release")
    try:
        made = make()
        for path in made:
            print(f"{path.stat().st_size:9,}  {path.relative_to(ROOT)}")
        if TAG not in _tags_here():
            print(f"now: git tag -a {TAG} -m {VERSION}, and publish these files with the tag")
    except ReleaseError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
