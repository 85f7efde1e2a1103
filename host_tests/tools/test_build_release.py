"""What `make release` makes: refused or whole, the same twice, and each part of it in use."""

import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
import zipfile

import pytest

from flyve_mdm import BUILD, ROOT, VERSION
from flyve_mdm.backend.server import Backend
from flyve_mdm.board import invited
from flyve_mdm.build import archive, changelog, firmware, libraries, toolchain

_TAKEN = (
    "tools", "firmware", "boards", "host_tests", "pyproject.toml", "README.md", "LICENSE",
    "NOTICE", ".gitignore",
)  # fmt: skip
_CHANGES = f"""# Changelog

## [Unreleased]

## [{VERSION}] - 2026-11-30

### Added

- Something.

## [0.0.1] - 2020-01-01

- What was before.
"""
_WHO = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")
_AGENT = {"boot.py", "main.py", "flyve/__init__.mpy", "flyve/agent.mpy"}
_AGENT |= {"lib/umqtt/simple.mpy", "lib/urequests.mpy"}
_FILES = {f"flyve-mdm-esp32-{VERSION}.zip", f"flyve_mdm_esp32-{VERSION}-py3-none-any.whl"}
_FILES |= {"package.json", "CHANGES.md", "LICENSE", "NOTICE", "SHA256SUMS"}
_FILES |= {name.replace("/", ".") for name in _AGENT}

pytestmark = [
    pytest.mark.exact,
    pytest.mark.skipif(not shutil.which("git"), reason="git is not installed"),
]


class Clone:
    """A clone of a repository, with the libraries, for there may be no index."""

    def __init__(self, folder):
        self.folder, self.out = folder, folder / "build" / "release"
        shutil.copytree(BUILD / "libraries", folder / "build" / "libraries")

    @classmethod
    def of_this(cls, folder):
        """The files of this checkout, committed."""
        for name in _TAKEN:
            if (ROOT / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / name, folder / name, ignore=ignored)
            else:
                folder.mkdir(exist_ok=True)
                shutil.copy(ROOT / name, folder)
        (folder / "CHANGELOG.md").write_text(_CHANGES)
        clone = cls(folder)
        clone.git("init", "-q")
        clone.commit()
        return clone

    def git(self, *argv):
        alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        subprocess.run(
            ["git", *_WHO, *argv], cwd=self.folder, env={**os.environ, **alone},
            capture_output=True, check=True, timeout=60,
        )  # fmt: skip

    def commit(self):
        self.git("add", ".")
        self.git("commit", "-q", "-m", "all: As it is.")

    def release(self, umask=-1, **environment):
        own = {"PYTHONPATH": str(self.folder / "tools"), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            [sys.executable, "-m", "flyve_mdm.build.release"], cwd=self.folder, umask=umask,
            env={**os.environ, **own, **environment}, capture_output=True, text=True,
            timeout=200, check=False,
        )  # fmt: skip

    def refused(self):
        """What it says when there is no release."""
        done = self.release()
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1
        assert not self.out.exists()
        return done.stderr[7:-1]

    def change(self, path, old, new):
        file = self.folder / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))


@pytest.fixture
def clone(tmp_path):
    return Clone.of_this(tmp_path / "a clone")


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A clone with a release, which no test changes."""
    made = Clone.of_this(tmp_path_factory.mktemp("released") / "a clone")
    done = made.release()
    assert done.returncode == 0, done.stderr
    assert f"git tag -a v{VERSION}" in done.stdout
    return made


@pytest.fixture
def backend():
    with Backend(tls=False) as made:
        yield made


def _enroll(board, backend):
    """A blank board with a release on it comes online."""
    link = backend.invite("ada@example.org")
    settings = {"email": "ada@example.org", "ntp": [backend.ntp], "reconnect_spread": 1}
    invited.invite(board, link, settings, backend.ca_der)
    with board.start() as run:
        assert backend.wait_for(lambda: any(a.online for a in backend.agents), 30), run.log


def _unzipped(folder):
    with zipfile.ZipFile(folder / f"flyve-mdm-esp32-{VERSION}.zip") as packed:
        return {f"/{name}": packed.read(name) for name in packed.namelist()}


def test_a_release_is_these_files_with_their_sums_and_what_is_new(released):
    assert {path.name for path in released.out.iterdir()} == _FILES
    done = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=released.out, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines == [f"{name}: OK" for name in sorted(_FILES - {"SHA256SUMS"})]
    wanted = f"## [{VERSION}] - 2026-11-30\n\n### Added\n\n- Something.\n"
    assert (released.out / "CHANGES.md").read_text() == wanted


def test_the_set_up_page_is_in_the_zip_and_in_the_wheel(released):
    modules = archive.unpack(_unzipped(released.out)["/flyve/agent.mpy"])
    page = firmware.modules(firmware.build()) / f"{firmware.PAGE}_html.dat"
    assert modules["jobs/setup_html"] == page.read_bytes()
    with zipfile.ZipFile(released.out / f"flyve_mdm_esp32-{VERSION}-py3-none-any.whl") as wheel:
        packed = wheel.read(f"flyve_mdm/_data/firmware/{firmware.PAGE}.html")
    assert packed == (ROOT / "firmware" / f"{firmware.PAGE}.html").read_bytes()


def test_a_release_is_the_same_in_another_folder_at_another_time(released, tmp_path):
    there = {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7", "READABLE": "1", "TMPDIR": str(tmp_path)}
    released.git("clone", "-q", ".", tmp_path / "another clone")
    other = Clone(tmp_path / "another clone")
    (other.folder / "firmware" / "__pycache__").mkdir()  # git ignores it, the build would not
    (other.folder / "firmware" / "__pycache__" / "boot.py").write_text("not committed")
    done = other.release(umask=0o077, **there)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in other.out.iterdir()} == _FILES
    for name in _FILES:
        assert (other.out / name).read_bytes() == (released.out / name).read_bytes(), name


def test_the_wheel_in_an_empty_environment_runs_the_demo(released, tmp_path):
    place = tmp_path / "an environment"
    subprocess.run([sys.executable, "-m", "venv", place], check=True, timeout=120)
    (wheel,) = released.out.glob("*.whl")
    pip = [place / "bin" / "python", "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*pip, wheel], check=True, timeout=120, cwd=tmp_path)
    # What it depends on is here, for there may be no index.
    for site in place.glob("lib/python*/site-packages"):
        (site / "ours.pth").write_text(os.path.dirname(os.path.dirname(pytest.__file__)) + "\n")
    cache = tmp_path / "cache" / "flyve-mdm-esp32" / VERSION
    shutil.copytree(BUILD / "libraries", cache / "libraries")
    own = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": ""}
    own["MICROPYTHON"] = str(toolchain.micropython())

    def flyve(*words):
        done = subprocess.run(
            [place / "bin" / "flyve", *words], cwd=tmp_path, env={**os.environ, **own},
            capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert flyve("--version") == f"flyve, version {VERSION}\n"
    assert " provision " in flyve("--help")
    assert "every step was seen by the backend" in flyve("demo", "--plain")
    assert (cache / "firmware" / "flyve" / "agent.mpy").exists()  # it built its own


@pytest.mark.soak
def test_the_wheel_brings_all_that_it_needs(released, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "v"], check=True, timeout=120)
    (wheel,) = released.out.glob("*.whl")
    pip = [tmp_path / "v" / "bin" / "python", "-m", "pip", "install", "-q", wheel]
    subprocess.run(pip, check=True, timeout=600, cwd=tmp_path)
    own = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": ""}
    own["PATH"] = os.defpath
    done = subprocess.run(
        [tmp_path / "v" / "bin" / "flyve", "demo"], cwd=tmp_path, env={**os.environ, **own},
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "every step was seen by the backend" in done.stdout


def test_the_zip_unpacked_onto_a_board_enrolls(released, backend, tmp_path):
    files = _unzipped(released.out)
    assert set(files) == {f"/{name}" for name in _AGENT}
    board = invited.create(tmp_path / "board")
    board.change(files)
    _enroll(board, backend)


def test_mip_installs_a_release_from_a_server_and_the_board_enrolls(released, backend, tmp_path):
    board = invited.create(tmp_path / "board")
    serve = functools.partial(http.server.SimpleHTTPRequestHandler, directory=released.out)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/package.json"
        with board.start(port=tmp_path / "port") as run:
            command = [sys.executable, "-m", "mpremote", "connect", run.wait_port()]
            command += ["mip", "install", "--target", "/", url]
            subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=True)
        server.shutdown()
    assert {path: board.read(path) for path, _ in board.files()} == _unzipped(released.out)
    _enroll(board, backend)


def test_what_is_not_committed_is_not_released(clone):
    (clone.folder / "tools" / "new.py").write_text("")
    clone.change("firmware/main.py", "agent", "client")
    said = clone.refused()
    assert said == "firmware/main.py and 1 more is not committed: commit it, or take it away"


def test_a_version_of_which_the_changelog_tells_nothing_is_not_released(clone):
    clone.change("CHANGELOG.md", f"[{VERSION}]", "[0.9.9]")
    clone.commit()
    wanted = f"CHANGELOG.md: it has no section `## [{VERSION}] - YYYY-MM-DD` that tells something"
    assert clone.refused() == f"{wanted}: write it"


def test_a_version_that_is_the_tag_of_another_commit_is_not_released(clone):
    clone.git("tag", "-a", f"v{VERSION}", "-m", VERSION)
    clone.change("README.md", "Flyve", "FLYVE")
    clone.commit()
    said = clone.refused()
    assert said.startswith(f"v{VERSION} is the tag of another commit, ")
    assert said.endswith(": raise VERSION in tools/flyve_mdm/__init__.py")


def test_an_agent_that_has_changed_has_a_higher_build_than_the_one_released_before(clone):
    clone.git("tag", "v0.0.1")
    clone.change("firmware/main.py", "Starts the agent", "Starts an agent")
    clone.commit()
    said = clone.refused()
    assert said.startswith("BUILD in firmware/flyve/__init__.py is as in v0.0.1")
    assert "raise it" in said


def test_without_a_history_there_is_no_release(clone):
    shutil.rmtree(clone.folder / ".git")
    said = clone.refused()
    assert said == "here is no git history: make a release in a clone of the repository"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("# Changelog\n", "no section"),
        ("## [1.2] - 2026-01-01\n\n## [1.1] - 2025-01-01\n\n- Old.\n", "tells something"),
        ("## [1.2]\n\n- New.\n", "YYYY-MM-DD"),
        ("## [Unreleased]\n\n- Newer.\n\n## [1.2] - 2026-01-01\n\n- New.\n", "move it to 1.2"),
    ],
)
def test_a_section_that_is_not_fit_for_a_release(text, reason):
    with pytest.raises(changelog.ChangelogError, match=reason):
        changelog.section(text, "1.2")


def test_the_changelog_begins_with_this_version():
    text = (ROOT / "CHANGELOG.md").read_text()
    assert text.split("\n## [")[2].startswith(f"{VERSION}] - ")


def test_the_notice_names_the_libraries_that_are_compiled_in():
    text = (ROOT / "NOTICE").read_text()
    for library in libraries.PINNED:
        assert f"\n{library.project} {library.version}\n" in text


def test_the_agent_tells_the_projects_version():
    for name in ("startup", "inventory"):
        source = (ROOT / "firmware" / "flyve" / "jobs" / f"{name}.py").read_text()
        assert f'_RELEASE = const("{VERSION}")' in source
