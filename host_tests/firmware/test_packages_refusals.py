"""Packages that must not be installed: each is refused, says why, and changes nothing."""

import io
import tarfile

import pytest

from flyve_mdm.board import appimage
from host_tests.kit.packages import AGENT, STAGED, agent_bundle, applications, mpy, tar

APP = b"def start(agent):\n    yield\n"
MODULE = mpy("def start(agent):\n    yield\n")


def link(kind, target="app.py"):
    info = tarfile.TarInfo("link")
    info.type, info.linkname = kind, target
    return info


def patched(data, at, new, checksum=True):
    """A tar whose first header has other bytes at a place."""
    head = bytearray(data[:512])
    head[at : at + len(new)] = new
    if checksum:
        head[148:156] = b" " * 8
        head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + data[512:]


def other_mpy(at, value):
    return MODULE[:at] + bytes([value]) + MODULE[at + 1 :]


ONE = tar({"app.py": APP})


def kind(flag):
    """A bundle whose member is of another type."""
    return patched(ONE, 156, flag)


def pax(key, value):
    """A bundle whose member has such an extended header."""
    info = tarfile.TarInfo("app.py")
    info.size, info.pax_headers = len(APP), {key: value}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(APP))
    return out.getvalue()


BAD = {
    "failed: refused path ../evil": tar({"app.py": APP, "../evil": b"x"}),
    "failed: refused path a/../../evil": tar({"a/../../evil": b"x"}),
    "failed: refused path /flyve/agent.mpy": tar({"/flyve/agent.mpy": MODULE}),
    "failed: refused path a//b": tar({"a//b": b"x"}),
    "failed: refused path ./../a": tar({"././../a": b"x"}),
    "failed: refused name": tar({"a\\b": b"x"}),
    "failed: refused name ": tar({"d/" * 50 + "e/" * 20 + "x": b"x"}),
    "failed: refused: link or device link": tar({"app.py": APP, "l": link(tarfile.SYMTYPE)}),
    "failed: refused: link or device link ": tar({"app.py": APP, "l": link(tarfile.LNKTYPE)}),
    "failed: refused: link or device link  ": tar({"app.py": APP, "l": link(tarfile.CHRTYPE)}),
    # A32
    "failed: refused: sparse file: pack it without --sparse": kind(b"S"),
    "failed: refused: sparse file: pack it without --sparse ": pax("GNU.sparse.major", "1"),
    "failed: refused: sparse file: pack it without --sparse  ": pax("GNU.sparse.map", "0,1"),
    "failed: refused: sparse file: pack it without --sparse   ": pax("SCHILY.realsize", "9"),
    "failed: refused: member of type 'M': app.py": kind(b"M"),
    "failed: refused: member of type 'D': app.py": kind(b"D"),
    "failed: refused: member of type '7': app.py": kind(b"7"),
    "failed: refused: member of type 'V': app.py": kind(b"V"),
    "failed: names too long": tar({"n" * 130: b"x"}, tarfile.PAX_FORMAT),
    "failed: refused path ./@LongLink": tar({"n" * 130: b"x"}, tarfile.GNU_FORMAT),
    "failed: too many members": tar({f"f{n}": b"" for n in range(201)}),
    "failed: truncated bundle": tar({"app.py": APP})[:1024],
    "failed: truncated bundle ": tar({"app.py": APP, "data": b"x" * 3000})[:3000],
    "failed: truncated bundle  ": tar({"app.py": APP})[:700],
    "failed: truncated bundle   ": patched(ONE, 124, b"00777777777\0"),
    "failed: truncated bundle    ": patched(ONE, 124, b"-0000000012\0"),
    "failed: damaged bundle": patched(ONE, 124, b"\x80\0\0\0\0\0\0\0\0\0\1\0"),
    "failed: damaged bundle ": patched(ONE, 0, b"b", checksum=False),
    "failed: damaged bundle  ": patched(ONE, 124, b"0000000zzzz\0"),
    "failed: damaged bundle   ": patched(ONE, 0, b"\xff\xfe"),
    "failed: damaged module a.mpy": tar({"app.py": APP, "a.mpy": b"import os\n"}),
    "failed: damaged module a.mpy ": tar({"app.py": APP, "a.mpy": b"M"}),
    "failed: flash: ENOTDIR (20)": tar({"app.py": APP, "app.py/x": b"x"}),
    "incompatible: compiled for another MicroPython": tar({"a.mpy": other_mpy(1, 5)}),
    "incompatible: compiled for another MicroPython ": tar({"a.mpy": other_mpy(3, 63)}),
    "incompatible: compiled for another MicroPython  ": tar({"a.mpy": other_mpy(2, 10 << 2 | 3)}),
    "incompatible: compiled for another MicroPython   ": other_mpy(1, 5),
    "failed: neither bundle, module nor image": b"",
    "failed: neither bundle, module nor image ": b"\x1f\x8b\x08\0\0\0\0\0\0\3gzip",
    "failed: neither bundle, module nor image  ": b"PK\3\4zip",
    # B7
    "failed: app.py does not compile: SyntaxError('invalid syntax',)": b"# Title\n\nSome prose.\n",
    "failed: part.py does not compile: SyntaxError('invalid syntax',)": tar(
        {"app.py": APP, "lib/part.py": b"x = (\n"}
    ),
    "failed: neither bundle, module nor image   ": appimage.build(),  # not in its slot
}


def test_bad_packages_are_refused_and_change_nothing(bench):
    board = bench.board(staged=APP)
    bench.lines(board, "install('good', '1')")
    before = board.files()
    texts = list(BAD)
    board.change({f"/bad{n:02}": BAD[text] for n, text in enumerate(texts)})
    script = f"for n in range({len(BAD)}):\n    install('good', '2', '/bad%02d' % n)\n"
    ends = bench.lines(board, script, heap="64K")
    assert ends == [text.rstrip() for text in texts]
    board.write("/main.py", b"")
    left = [item for item in board.files() if item[0] != "/main.py"]
    assert left == [item for item in before if item[0] != "/main.py"]


@pytest.mark.parametrize("data", [ONE, APP])
@pytest.mark.parametrize(
    "name, version",
    [("..", "1"), ("a/b", "1"), ("", "1"), (".x", "1"), ("n" * 65, "1"), ("a\\b", "1"),
     ("a", ".."), ("a", "../../flyve"), ("a", ""), ("a", ".current"), ("a", "1 2"), ("a", "1\t2")],
)  # fmt: skip
def test_a_bad_name_or_version_is_refused(bench, name, version, data):
    board = bench.board(staged=data)
    before = board.files()
    lines = bench.lines(board, f"install({name!r}, {version!r})")
    assert len(lines) == 1 and lines[0].startswith("failed: refused")
    left = {path for path, _ in board.files()}
    assert left == {path for path, _ in before} - {STAGED}


def test_what_does_not_fit_is_refused(bench):
    board = bench.board()
    free = int(bench.lines(board, "import os\nprint(os.statvfs('/')[3])")[0]) * 4096
    board.write(STAGED, tar({"app.py": APP, "data": b"x" * (free * 6 // 10)}))
    line = bench.lines(board, "install('a', '1')")[0]
    assert line.startswith("failed: no space: ")
    assert applications(board) == {}
    assert STAGED not in dict(board.files())


def test_the_agent_must_be_in_its_bundle_and_cannot_be_removed(bench):
    board = bench.board(staged=tar({"app.py": APP}))
    script = f"""
        install({AGENT!r}, '1')
        from flyve.jobs import packages
        try:
            packages.remove({AGENT!r})
        except registry.Failed as e:
            print(e)
        """
    assert bench.lines(board, script) == [
        "failed: without flyve/agent.mpy",
        "the agent cannot be removed",
    ]
    assert not [path for path, _ in board.files() if path.startswith("/flyve.")]
    board.write(STAGED, APP)
    assert bench.lines(board, f"install({AGENT!r}, '1')") == ["failed: truncated bundle"]


def test_an_agent_for_another_micropython_is_refused(bench):
    bundle = agent_bundle(agent="def main():\n    pass\n")
    board = bench.board(staged=bundle.replace(MODULE[:4], b"M\5" + MODULE[2:4]))
    line = bench.lines(board, f"install({AGENT!r}, '1')")[0]
    assert line == "incompatible: compiled for another MicroPython"
    assert not [path for path, _ in board.files() if path.startswith("/flyve.")]
