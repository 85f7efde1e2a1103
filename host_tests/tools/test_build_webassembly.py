"""Scripts for MicroPython's WebAssembly build, run by Node."""

import pytest

from flyve_mdm.build import npm, webassembly


def test_a_script_that_fails_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "node").write_text(
        "#!/bin/sh\necho 'file:1' >&2\necho 'TypeError: no such thing' >&2\nexit 1\n"
    )
    (tmp_path / "bin" / "node").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(npm.NpmError, match="^words.mjs: TypeError: no such thing$"):
        webassembly.run(tmp_path / "words.mjs", "", 10)
