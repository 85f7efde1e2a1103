"""The archive of the agent's modules, as the host packs it."""

import pytest

from flyve_mdm import ROOT
from flyve_mdm.build import archive

HEAD = b"M\x06\x00\x1f"


def test_what_was_packed_is_unpacked_and_the_agent_comes_first():
    modules = {name: HEAD + name.encode() * 9 for name in ("zoo", "agent", "jobs/rest", "board")}
    packed = archive.pack(modules)
    assert packed.startswith(modules["agent"])
    assert archive.unpack(packed) == modules


def test_native_code_is_refused():
    modules = {"agent": HEAD, "jobs/fast": b"M\x06\x2b\x1f"}
    with pytest.raises(archive.ArchiveError, match="jobs/fast .* native code"):
        archive.pack(modules)


def test_more_modules_than_the_index_takes_are_refused():
    modules = {f"jobs/module{n}": HEAD for n in range(125)}
    with pytest.raises(archive.ArchiveError, match="the index has 11 parts, the agent reads 10"):
        archive.pack(modules)


def test_host_and_agent_read_an_index_of_the_same_size():
    source = (ROOT / "firmware" / "flyve" / "__init__.py").read_text()
    assert f"_PARTS = const({archive.PARTS})" in source
    assert f"_PART = const({archive.PART})" in source
