"""`make` and what it sets up, in surroundings that are not ours."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from flyve_mdm import ROOT

_PROJECT = """
[build-system]
requires = []
backend-path = ["."]
build-backend = "backend"
[project]
name = "small"
version = "1"
"""
_BACKEND = """
import os, zipfile

def build_editable(folder, *_):
    with zipfile.ZipFile(os.path.join(folder, "small-1-py3-none-any.whl"), "w") as wheel:
        for name, text in (
            ("METADATA", "Metadata-Version: 2.1\\nName: small\\nVersion: 1\\n"),
            ("WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"),
            ("RECORD", ""),
        ):
            wheel.writestr("small-1.dist-info/" + name, text)
    return "small-1-py3-none-any.whl"
"""


@pytest.fixture
def checkout(tmp_path):
    """A small project with our tools/bootstrap.py and an environment, in a path of a user's."""
    folder = tmp_path / "Eigene Dateien ü"
    (folder / "tools").mkdir(parents=True)
    shutil.copy(ROOT / "tools" / "bootstrap.py", folder / "tools")
    (folder / "flyve_mdm" / "build").mkdir(parents=True)
    for name in ("__init__", "build/__init__", "build/libraries", "build/firmware"):
        (folder / "flyve_mdm" / f"{name}.py").write_text("")
    (folder / "pyproject.toml").write_text(_PROJECT)
    (folder / "backend.py").write_text(_BACKEND)
    make = [sys.executable, "-m", "venv", "--without-pip", folder / ".venv"]
    subprocess.run(make, check=True, timeout=60)
    # With the pip of this environment, for there may be no index.
    for site in (folder / ".venv").glob("lib/python*/site-packages"):
        (site / "ours.pth").write_text(os.path.dirname(os.path.dirname(pytest.__file__)) + "\n")
    return folder


def bootstrap(checkout, **environment):
    done = subprocess.run(
        [sys.executable, "tools/bootstrap.py", ".venv"],
        cwd=checkout, env={**os.environ, **environment}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


# B11
def test_setup_installs_into_its_own_folder_whatever_the_user_has_told_pip(checkout, tmp_path):
    code, said = bootstrap(checkout, PIP_USER="1", PIP_TARGET=str(tmp_path / "t"))
    assert code == 0, said
    assert list(checkout.glob(".venv/lib/python*/site-packages/small-1.dist-info"))
    assert not (tmp_path / "t").exists()


# B11
def test_an_index_that_does_not_answer_is_one_line_with_a_next_step(checkout):
    (checkout / "pyproject.toml").write_text(_PROJECT.replace("[]", '["no-such-thing"]'))
    dead = {
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_RETRIES": "0",
    }
    code, said = bootstrap(checkout, **dead)
    assert code == 1
    assert said.count("\n") == 1 and said.startswith("setup: cannot install the packages: ")
    assert "http://127.0.0.1:9/simple does not answer" in said and "PIP_INDEX_URL" in said


# B10
@pytest.mark.parametrize("target", ["hil", "firmware"])
def test_make_passes_on_what_a_user_gave_as_it_is(tmp_path, target):
    odd = "it's $odd $(touch here) `touch here` \" ; touch here"
    show = tmp_path / "show"
    show.write_text('#!/bin/sh\nprintf "%s|" "$FLYVE_PSK" "$@"\n')
    show.chmod(0o755)
    (tmp_path / "flyve").symlink_to(show)
    names = ("WIFI_PSK", "WIFI_SSID", "PORT", "HOST", "BOARD", "VARIANT")
    given = [f"{name}={odd}" for name in names]
    ready = ["-o", ".venv/.ready", "-o", ".venv/.ready-test"]  # as it is, however old
    ready += [f"PYTEST={show}", f"BIN={tmp_path}"]
    done = subprocess.run(
        ["make", "-s", "-C", ROOT, target, *ready, *given],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    words = done.stdout.split("|")
    wanted = {"hil": ["port", "wifi-ssid", "host"], "firmware": ["board", "variant"]}[target]
    assert [word for word in words if word.startswith("--") and "=" in word] == [
        f"--{name}={odd}" for name in wanted
    ]
    if target == "hil":
        assert words[0] == odd


# B13
def test_the_demo_needs_no_package_of_the_tests_or_the_style():
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^demo: \$\(READY\) ", makefile, re.M)
    extras = (ROOT / "tools" / "bootstrap.py").read_text()
    assert 'else ""' in extras and "test,dev" not in extras
