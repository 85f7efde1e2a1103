"""What modules take on words of 64 bits and, in MicroPython's WebAssembly build, of 32 bits."""

import shutil

import pytest

from flyve_mdm.build import firmware, npm, webassembly
from flyve_mdm.measure import words

if not shutil.which("node"):
    pytest.skip("no Node here: install Node, with npm", allow_module_level=True)

LOG = frozenset({"flyve/log"})


@pytest.fixture(scope="module")
def tree():
    return firmware.modules(firmware.build())


@pytest.fixture(scope="module", autouse=True)
def build():
    try:
        return webassembly.fetch()
    except npm.NpmError as error:
        pytest.skip(str(error))


@pytest.mark.exact
def test_words_of_32_bits_take_two_thirds(tree):
    online = frozenset({"flyve/agent", "flyve/online"})
    (unix,), (board,) = words.bits64(tree, [online]), words.bits32(tree, [online])
    assert unix.there == board.there > online | {"flyve/link", "flyve/transport"}
    assert 0.6 < board.taken / unix.taken < 0.75


@pytest.mark.exact
def test_a_larger_module_takes_more_and_new_names_are_counted_apart(tree, tmp_path):
    larger = tmp_path / "tree"
    shutil.copytree(tree, larger)
    source = tmp_path / "log.py"
    text = (firmware.ROOT / "firmware" / "flyve" / "log.py").read_text()
    source.write_text(f"{text}\n\ndef a_name_of_its_own():\n    return {list(range(1000))}\n")
    firmware.compile_file(source, larger / "flyve" / "log.mpy", "flyve/log.py", 3)
    (before,), (after,) = words.bits32(tree, [LOG]), words.bits32(larger, [LOG])
    assert after.there == before.there
    assert after.taken > before.taken + 2000
    assert after.names >= before.names


@pytest.mark.exact
def test_what_each_module_takes_adds_up_to_what_they_take_together(tree):
    each = words.each(words.bits32, tree)
    (together,) = words.bits32(tree, [frozenset({"flyve/agent", "flyve/online"})])
    assert all(taken > 0 for taken in each.values())
    assert sum(each[name] for name in together.there) == pytest.approx(together.taken, rel=0.03)
