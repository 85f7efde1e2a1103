"""MicroPython's WebAssembly build: pinned, fetched once, and never a reason to stop."""

import dataclasses
import io
import tarfile

import pytest

from flyve_mdm.build import libraries, webassembly
from flyve_mdm.build.webassembly import WebAssemblyError


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
    made = webassembly.Package("@its/build", "1.0.0", "", ("a.mjs", "b.wasm"))
    packed(tmp_path / "its-build-1.0.0.tgz", {"a.mjs": b"one", "b.wasm": b"two", "c": b"three"})
    integrity = webassembly.integrity(tmp_path / made.archive)
    return dataclasses.replace(made, integrity=integrity)


def npm(tmp_path, script):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "bin" / "npm").chmod(0o755)


def test_a_filled_cache_needs_no_npm(package, tmp_path):
    folder = webassembly.fetch(package)
    assert sorted(path.name for path in folder.iterdir()) == ["a.mjs", "b.wasm"]
    (folder / "a.mjs").write_bytes(b"changed")
    assert (webassembly.fetch(package) / "a.mjs").read_bytes() == b"one"


def test_without_npm_it_is_one_line(package, tmp_path):
    (tmp_path / package.archive).unlink()
    with pytest.raises(WebAssemblyError, match="^no Node here: install Node, with npm$"):
        webassembly.fetch(package)


def test_another_archive_is_never_used(package, tmp_path):
    packed(tmp_path / package.archive, {"a.mjs": b"other", "b.wasm": b"two"})
    npm(tmp_path, f"/bin/cp {tmp_path / package.archive} .")
    with pytest.raises(WebAssemblyError, match="not the pinned sha512-.*: not used"):
        webassembly.fetch(package)
    assert not (tmp_path / "webassembly").exists()


def test_what_npm_says_is_one_line(package, tmp_path):
    (tmp_path / package.archive).unlink()
    npm(tmp_path, "echo npm error network >&2; echo more >&2; exit 1")
    with pytest.raises(WebAssemblyError) as refused:
        webassembly.fetch(package)
    assert str(refused.value) == (
        "cannot fetch its-build-1.0.0.tgz: check the network and try again (npm error network)"
    )


def test_a_script_that_fails_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "node").write_text(
        "#!/bin/sh\necho 'file:1' >&2\necho 'TypeError: no such thing' >&2\nexit 1\n"
    )
    (tmp_path / "bin" / "node").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(WebAssemblyError, match="^words.mjs: TypeError: no such thing$"):
        webassembly.run(tmp_path / "words.mjs", "", 10)
