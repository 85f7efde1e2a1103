"""Each kind of package becomes current, and goes again."""

import tarfile

import pytest

from host_tests.kit.packages import STAGED, applications, mpy, tar

APP = b"def start(agent):\n    yield\n"
MODULE = mpy("def start(agent):\n    yield\n")
INSTALLED = """
from flyve.jobs import packages
print([(name, path.rsplit("/", 1)[1].rstrip("~")) for name, path in packages.installed()])
"""


def current(board):
    """The version that .current names, of each application."""
    return {p: board.read(p).split() for p, _ in board.files() if p.endswith("/.current")}


def members():
    return {
        "app.py": APP,
        "lib": None,
        "lib/helper.mpy": MODULE,
        "data/deep/er/empty": b"",
        "data/4096": b"a" * 4096,
        "data/9000": bytes(range(250)) * 36,
    }


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_bundle_becomes_current(bench, format):
    bundle = tar(members(), format)
    board = bench.board(staged=bundle)
    lines = bench.lines(board, "install('org.example', '1.0')" + INSTALLED)
    assert lines[0].endswith("INFO packages: org.example 1.0 installed")
    assert lines[1].startswith("done ")
    assert lines[2] == "[('org.example', '1.0')]"
    files = {name: data for name, data in members().items() if data is not None}
    assert applications(board) == {"org.example": files}
    assert current(board) == {"/apps/org.example/.current": [b"1.0"]}
    assert STAGED not in dict(board.files())


def test_a_bundle_as_tar_makes_it(bench, tmp_path):
    # Fractions of seconds in pax headers, a folder "./" of its own, names that begin with it.
    tree = tmp_path / "tree"
    (tree / "lib").mkdir(parents=True)
    (tree / "app.py").write_bytes(APP)
    (tree / "lib" / ("n" * 80 + ".py")).write_bytes(APP)
    with tarfile.open(tmp_path / "bundle.tar", "w") as archive:
        archive.add(tree, ".")
    board = bench.board(staged=(tmp_path / "bundle.tar").read_bytes())
    assert bench.lines(board, "install('a', '1')")[1].startswith("done")
    assert applications(board) == {"a": {"app.py": APP, "lib/" + "n" * 80 + ".py": APP}}


def test_a_name_in_two_fields_of_the_header(bench):
    long = "a" * 60 + "/" + "b" * 50 + ".py"
    board = bench.board(staged=tar({long: APP}))
    assert bench.lines(board, "install('a', '1')")[1].startswith("done")
    assert applications(board) == {"a": {long: APP}}


@pytest.mark.parametrize("data, name", [(APP, "app.py"), (MODULE, "app.mpy")])
def test_a_single_module_becomes_current(bench, data, name):
    board = bench.board(staged=data)
    assert bench.lines(board, "install('one', '7')")[1].startswith("done")
    assert applications(board) == {"one": {name: data}}
    assert STAGED not in dict(board.files())


def test_a_byte_order_mark_before_a_module_is_passed_over(bench):
    marked = b"\xef\xbb\xbf" + APP * 300
    board = bench.board(staged=marked, bundle=tar({"app.py": marked, "b.py": b"", "c": marked}))
    lines = bench.lines(board, "install('a', '1')\ninstall('b', '1', '/bundle')\n" + INSTALLED)
    assert [line.split()[0] for line in lines if "INFO" not in line][:2] == ["done", "done"]
    assert applications(board) == {
        "a": {"app.py": APP * 300},
        "b": {"app.py": APP * 300, "b.py": b"", "c": marked},
    }


def test_one_old_version_stays(bench):
    board = bench.board()
    for number in range(4):
        board.write(STAGED, APP + b"# %d" % number)
        bench.lines(board, f"install('one', '{number}')")
    assert current(board) == {"/apps/one/.current": [b"3", b"2"]}
    assert {p.split("/")[3] for p, _ in board.files() if p.startswith("/apps/one/")} == {
        ".current", "2", "3",
    }  # fmt: skip


def test_the_same_version_again_replaces_it(bench):
    board = bench.board()
    for number in range(3):
        board.write(STAGED, APP + b"# %d" % number)
        lines = bench.lines(board, "install('one', '1')" + INSTALLED)
        assert lines[2] == "[('one', '1')]"
        assert applications(board) == {"one": {"app.py": APP + b"# %d" % number}}


def test_the_old_version_again_replaces_the_new_one(bench):
    board = bench.board()
    for version in ("1", "2", "1"):
        board.write(STAGED, APP + version.encode())
        bench.lines(board, f"install('one', '{version}')")
        assert applications(board) == {"one": {"app.py": APP + version.encode()}}


def test_a_removal_takes_all_versions_and_nothing_else(bench):
    board = bench.board()
    for name, version in (("one", "1"), ("one", "2"), ("two", "1")):
        board.write(STAGED, tar(members()))
        bench.lines(board, f"install('{name}', '{version}')")
    remove = "from flyve.jobs import packages\nrun(packages.remove('one'))" + INSTALLED
    assert bench.lines(board, remove)[1] == "[('two', '1')]"
    assert not [p for p, _ in board.files() if p.startswith("/apps/one")]
    assert bench.lines(board, remove)[0] == "[('two', '1')]"  # it need not be there
    assert list(applications(board)) == ["two"]


def test_a_removal_counts_before_its_job_has_run(bench):
    board = bench.board(staged=APP)
    bench.lines(board, "install('one', '1')")
    script = "from flyve.jobs import packages\npackages.remove('one')" + INSTALLED
    assert bench.lines(board, script)[1] == "[]"
    board.write(STAGED, APP)
    bench.lines(board, "install('two', '1')")
    assert not [p for p, _ in board.files() if p.startswith("/apps/one")]


def test_old_versions_make_room(bench):
    board = bench.board()
    for version in "12":
        board.write(STAGED, tar({"app.py": APP, "data": version.encode() * 40000}))
        bench.lines(board, f"install('one', '{version}')")
    free = int(bench.lines(board, "import os\nprint(os.statvfs('/')[3])")[0]) * 4096
    big = free // 2
    board.write(STAGED, tar({"app.py": APP, "data": b"x" * big}))
    assert bench.lines(board, "install('two', '1')")[1].startswith("done")
    assert current(board)["/apps/one/.current"][0] == b"2"
    assert not [p for p, _ in board.files() if p.startswith("/apps/one/1/")]


def test_no_piece_of_an_installation_takes_long(bench):
    board = bench.board(staged=tar({f"f{n}": b"x" * 5000 for n in range(12)}))
    # A slow host may be late; what counts is that no piece does the work of all.
    assert int(bench.lines(board, "install('a', '1')")[1].split()[1]) < 100


def test_an_installation_needs_little_memory(bench):
    board = bench.board(staged=tar({"app.py": APP, "data": b"x" * 100_000}))
    assert bench.lines(board, "install('a', '1')", heap="52K")[1].startswith("done")
