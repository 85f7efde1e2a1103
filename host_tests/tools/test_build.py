"""The build, the pinned libraries and the `flyve` command itself."""

import base64
import dataclasses
import io
import os
import subprocess
import sys
import tarfile

import pytest
from click.testing import CliRunner

from flyve_mdm import cli
from flyve_mdm.build import archive, firmware, libraries, toolchain


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A source tree of its own, built from into a folder of its own."""
    monkeypatch.setattr(firmware, "ROOT", tmp_path)
    monkeypatch.setattr(firmware, "BUILD", tmp_path / "build")
    monkeypatch.setattr(firmware, "TREE", tmp_path / "build" / "firmware")
    monkeypatch.setattr(firmware, "VIRTUAL", tmp_path / "build" / "virtual")
    package = tmp_path / "firmware" / "flyve"
    package.mkdir(parents=True)
    (tmp_path / "firmware" / "boot.py").write_text("x = 1\n")
    (package / "link.py").write_text("def f(x):\n    assert x\n    return 1 // x\n")
    return tmp_path


def test_the_tree_of_a_board(tree):
    (tree / "firmware" / "flyve" / "__init__.py").write_text("")
    out = firmware.build()
    around = {"boot.py", "flyve/__init__.mpy", "lib/umqtt/simple.mpy", "lib/urequests.mpy"}
    assert _files(out) == {*around, "flyve/agent.mpy"}
    loose = firmware.modules(out)
    assert _files(loose) == {*around, "flyve/link.mpy"}
    packed = archive.unpack((out / "flyve" / "agent.mpy").read_bytes())
    assert packed == {"link": (loose / "flyve" / "link.mpy").read_bytes()}


def _files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")}


def test_only_what_changed_is_compiled_and_stale_outputs_go(tree):
    out = firmware.build()
    made = (firmware.modules(out) / "flyve" / "link.mpy", out / "flyve" / "agent.mpy")
    before = [path.stat().st_mtime_ns for path in made]
    firmware.build()
    assert [path.stat().st_mtime_ns for path in made] == before
    (tree / "firmware" / "flyve" / "link.py").write_text("y = 1\n")
    firmware.build()
    assert all(path.stat().st_mtime_ns != old for path, old in zip(made, before, strict=True))
    (tree / "firmware" / "flyve" / "link.py").unlink()
    firmware.build()
    assert not any(path.parent.exists() for path in made)


def test_what_does_not_compile_is_named_and_leaves_no_output(tree):
    out = firmware.build()
    link = firmware.modules(out) / "flyve" / "link.mpy"
    (tree / "firmware" / "flyve" / "link.py").write_text("x = 1\ndef f(:\n")
    with pytest.raises(firmware.BuildError, match=r"^firmware/flyve/link.py:2: SyntaxError.*$"):
        firmware.build()
    assert not link.exists() and not (out / "flyve" / "agent.mpy").exists()


def _archive(path, members):
    with tarfile.open(path, "w:gz") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            if data is None:
                member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            member.size = len(data or b"")
            tar.addfile(member, io.BytesIO(data or b""))


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A pinned library whose archive is in the cache; nothing answers on the network."""
    monkeypatch.setattr(libraries, "LIBRARIES", tmp_path)
    monkeypatch.setattr(libraries, "_RETRIES", 0)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")

    def make(members):
        made = libraries.Library("thing", "1.0", "", "pkg/mod.py", "mod")
        _archive(tmp_path / made.archive, members)
        return dataclasses.replace(made, sha256=libraries._sha256(tmp_path / made.archive))

    return make


def test_a_filled_cache_needs_no_network(library):
    pinned = library({"thing-1.0/pkg/mod.py": b"x = 1", "thing-1.0/../../evil.py": b"x = 2"})
    libraries.fetch([pinned])
    assert pinned.source.read_bytes() == b"x = 1"
    pinned.source.write_bytes(b"altered")
    libraries.fetch([pinned])
    assert pinned.source.read_bytes() == b"x = 1"
    assert len(list(libraries.LIBRARIES.rglob("*.py"))) == 1


def test_another_hash_is_never_used(library):
    pinned = library({"thing-1.0/pkg/mod.py": b"x = 1"})
    wrong = dataclasses.replace(pinned, sha256="0" * 64)
    with pytest.raises(libraries.LibraryError, match="check the network") as raised:
        libraries.fetch([wrong])
    assert "\n" not in str(raised.value)
    assert not pinned.source.exists()


def test_a_link_in_the_archive_is_not_followed(library):
    with pytest.raises(libraries.LibraryError, match="not a small regular file"):
        libraries.fetch([library({"thing-1.0/pkg/mod.py": None})])


def test_an_interpreter_that_does_not_fit_is_one_line(monkeypatch, tmp_path):
    fake = tmp_path / "micropython"
    monkeypatch.setenv("MICROPYTHON", str(fake))
    for version, complaint in (("1 23 2822", "1.24 or later"), ("1 25 5", "MPY_CROSS")):
        fake.write_text(f"#!/bin/sh\necho {version}\n")
        fake.chmod(0o755)
        toolchain.check.cache_clear()
        with pytest.raises(toolchain.ToolchainError, match=complaint) as raised:
            toolchain.check()
        assert "\n" not in str(raised.value)
    toolchain.check.cache_clear()


# B14
@pytest.mark.parametrize("command", ["bench", "size"])
@pytest.mark.parametrize("said", ["", "true (any coreutils)\nCopyright of many years\n"])
def test_a_tool_that_does_not_fit_is_one_line_before_anything_is_measured(
    monkeypatch, tmp_path, command, said
):
    tool = tmp_path / "mpy-cross"
    tool.write_text(f"#!/bin/sh\nprintf '{said}'\ntest -n '{said}'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("MPY_CROSS", str(tool))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-m", "flyve_mdm.cli", command], env=env, check=False,
                          capture_output=True, text=True, timeout=60)  # fmt: skip
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1, done.stderr


def _flyve(*args, **kwargs):
    return CliRunner().invoke(cli.cli, args, prog_name="flyve", **kwargs)


def test_a_command_that_cannot_load_breaks_no_other(monkeypatch):
    monkeypatch.setitem(cli._COMMANDS, "demo", "flyve_mdm.no_such_module")
    assert _flyve("--help").exit_code == 0
    assert "demo" not in _flyve("--help").output
    result = _flyve("demo")
    assert result.exit_code == 1
    assert "not available here" in result.output
    assert _flyve("no-such-command").exit_code == 2


def test_an_operating_system_error_is_one_line(monkeypatch, capsys):
    def refuse(**_):
        raise FileNotFoundError(2, "No such file or directory", "/dev/ttyUSB9")

    monkeypatch.setattr(cli, "cli", refuse)
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    assert ended.value.code == 1
    assert capsys.readouterr().err == "Error: No such file or directory: /dev/ttyUSB9\n"


def test_deeplink_decode_shortens_the_tokens():
    tokens = "a" * 40, "b" * 64
    fields = ("https://glpi.example.org/apirest.php", *tokens, "Help \x1b[31mdesk", "", "", "")
    link = "flyve://register?data=" + base64.b64encode("\\;".join(fields).encode()).decode()
    for argument, stdin in ((link, None), ("-", link + "\n")):
        result = _flyve("deeplink", "decode", argument, input=stdin)
        assert result.exit_code == 0
        assert "user_token: aaaa... (40 characters)" in result.output
        assert "invitation_token: bbbb... (64 characters)" in result.output
        assert not any(token in result.output for token in tokens)
        assert "\x1b" not in result.output


def test_deeplink_decode_says_what_is_wrong():
    result = _flyve("deeplink", "decode", "http://flyve.org/deeplink/?data=AAA%%")
    assert result.exit_code == 1
    assert "this deeplink cannot be used: " in result.output
