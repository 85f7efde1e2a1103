"""Packages of npm: pinned, fetched once, and never a reason to stop."""

import dataclasses
import io
import tarfile

import pytest

from flyve_mdm.build import libraries, npm


def packed(path, files):
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package whose archive is in the cache; npm, if there were one, would not be found."""
    monkeypatch.setattr(libraries, "LIBRARIES", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    made = npm.Package("@its/build", "1.0.0", "", ("a.mjs", "b.wasm"))
    packed(tmp_path / "its-build-1.0.0.tgz", {"a.mjs": b"one", "b.wasm": b"two", "c": b"three"})
    integrity = npm.integrity(tmp_path / made.archive)
    return dataclasses.replace(made, integrity=integrity)


def program(tmp_path, script):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "bin" / "npm").chmod(0o755)


def test_a_filled_cache_needs_no_npm(package, tmp_path):
    folder = npm.fetch(package)
    assert sorted(path.name for path in folder.iterdir()) == ["a.mjs", "b.wasm"]
    (folder / "a.mjs").write_bytes(b"changed")
    assert (npm.fetch(package) / "a.mjs").read_bytes() == b"one"


def test_without_npm_it_is_one_line(package, tmp_path):
    (tmp_path / package.archive).unlink()
    with pytest.raises(npm.NpmError, match="^no Node here: install Node, with npm$"):
        npm.fetch(package)


def test_another_archive_is_never_used(package, tmp_path):
    packed(tmp_path / package.archive, {"a.mjs": b"other", "b.wasm": b"two"})
    program(tmp_path, f"/bin/cp {tmp_path / package.archive} .")
    with pytest.raises(npm.NpmError, match="not the pinned sha512-.*: not used"):
        npm.fetch(package)
    assert not (tmp_path / "its-build-1.0.0").exists()


def test_what_npm_says_is_one_line(package, tmp_path):
    (tmp_path / package.archive).unlink()
    program(tmp_path, "echo npm error network >&2; echo more >&2; exit 1")
    with pytest.raises(npm.NpmError) as refused:
        npm.fetch(package)
    assert str(refused.value) == (
        "cannot fetch its-build-1.0.0.tgz: check the network and try again (npm error network)"
    )
