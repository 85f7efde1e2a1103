"""Shorter names in the compiled firmware: what changes, and that nothing else does."""

import ast
import dis
import types

import pytest

from flyve_mdm import ROOT
from flyve_mdm.build import firmware, shorten

FOLDER = ROOT / "firmware"
FIRMWARE = sorted(FOLDER.glob("flyve/**/*.py"))


def _sources(paths) -> list[str]:
    return [path.read_text() for path in paths]


@pytest.fixture(scope="module")
def names():
    return firmware._names()


def _plan(*sources: str, library: str = "", **more):
    modules = {f"m{number}": source for number, source in enumerate(sources)}
    return shorten.plan(modules, [library], **more)


def _short(source: str, *others: str, **more) -> str:
    return shorten.shorten(source, _plan(source, *others, **more))


def _shape(code: types.CodeType) -> tuple[list, list[str]]:
    """A function's code without its names, and its names in the order of their use."""
    shape, names = [code.co_argcount, code.co_kwonlyargcount, code.co_flags], []
    for one in dis.get_instructions(code):
        value = one.argval
        if one.opname == "EXTENDED_ARG":
            continue
        if isinstance(value, types.CodeType):
            inner, more = _shape(value)
            shape.append(inner)
            names += more
        elif one.opcode in (*dis.haslocal, *dis.hasfree):
            shape.append(one.opname)
        elif isinstance(value, str | tuple):
            shape.append(one.opname)
            names += value if isinstance(value, tuple) else [value]
        else:
            shape.append((one.opname, value))
    return shape, names


def _without_const(source: str) -> str:
    return source.replace("from micropython import const\n", "\n")


@pytest.mark.parametrize("path", FIRMWARE, ids=lambda path: path.stem)
def test_the_code_of_a_module_differs_in_its_names_only(path, names):
    whole = path.read_text()
    short = shorten.shorten(whole, names)
    assert short.count("\n") == whole.count("\n")
    before = _shape(compile(_without_const(whole), path.name, "exec", optimize=2))
    after = _shape(compile(short, path.name, "exec", optimize=2))
    assert before[0] == after[0]
    differing = {pair for pair in zip(before[1], after[1], strict=True) if pair[0] != pair[1]}
    assert differing <= {*names.short.items()}


def test_no_short_name_is_anybody_elses(names):
    assert 400 < len(names.short) > 4 * len(set(names.short.values()))
    used = {
        word
        for source in _sources(FIRMWARE)
        for node in ast.walk(ast.parse(source))
        for word in (getattr(node, "id", None), getattr(node, "attr", None))
    }
    assert not used & set(names.short.values())


def test_a_name_is_the_same_in_all_sources():
    base = "class Base:\n    def _go(self):\n        return self.speed\n"
    derived = "class B(Base):\n    def start(self):\n        self.speed = 1\n        self._go()\n"
    plan = _plan(base, derived)
    both = [shorten.shorten(source, plan) for source in (base, derived)]
    assert all("_" not in source and "speed" not in source for source in both)
    assert f"self.{plan.short['_go']}()" in both[1]
    assert all(f"self.{plan.short['speed']}" in source for source in both)


def test_names_that_never_meet_share_a_short_name():
    one, two = "class A:\n    width = 1\n", "class B:\n    height = 1\n"
    plan = _plan(one, two)
    assert plan.short["width"] == plan.short["height"]
    derived = "import one\nclass B(one.A):\n    height = 1\n"
    plan = _plan(one, derived)
    assert plan.short["width"] != plan.short["height"]


def test_what_others_know_stays():
    source = (
        "_LIMIT = const(3)\n"
        "def _a(s):\n    return getattr(s, '_b')\n"
        "class C(Base):\n    def _send(self):\n        self._b = known.thing(word=1)\n"
        "    def thing(self, word):\n        m0.thing = word\n"
    )
    library = "class Base:\n    def _send(self): pass\n"
    short = _short(source, library=library, known=["thing", "C"])
    assert short == source.replace("_a(", "a(")
    assert _short("class Thing:\n    pass\n", interface=["m0"]) == "class Thing:\n    pass\n"


def test_a_parameter_gets_a_letter_unless_it_is_passed_by_keyword():
    source = "def f(first, second, third=3):\n    return lambda other: first + other + third\n"
    short = _short(source, "f(1, second=2)\n", known="f")
    assert short == "def f(a, second, third=3):\n    return lambda b: a + b + third\n"


def test_a_parameter_never_hides_another_name():
    source = (
        "a = 1\n"
        "def f(thing):\n    return thing + a\n"
        "def g(limit, size=limit):\n    return [limit for b in size]\n"
        "def h(value):\n    try:\n        pass\n    except OSError as value:\n        pass\n"
        "def i(**more):\n    return more\n"
    )
    assert _short(source, known="afghi") == source.replace("thing", "b")


SCRIPT = """
from flyve.part import held

class Other:
    held = 0

    def put(self):
        held = thing.held  # of .held
        return held
"""


def test_a_script_follows_the_firmware_but_keeps_its_own_variables():
    plan = _plan("held = 3\n\nclass A:\n    def put(self):\n        pass\n")
    held, put = plan.short["held"], plan.short["put"]
    assert shorten.follow(SCRIPT, plan) == (
        SCRIPT.replace("import held", f"import {held} as held")
        .replace("    held = 0", f"    {held} = 0")
        .replace("def put", f"def {put}")
        .replace("thing.held  ", f"thing.{held}  ")
    )


def test_the_name_of_a_constant_stays():
    # The compiler would put it in the place of a parameter of that name.
    source = "WORDS = const(('a', 'b'))\n\ndef go(first):\n    return first\n"
    assert _short(source, known=["go"]) == source.replace("first", "a")


def test_an_assert_of_a_library_outlives_the_optimizer():
    source = "def f(x):\n    assert x > 0 and (\n        x < 9), 'range'\n    return x\n"
    spelt = shorten.spell_out_asserts(source)
    assert spelt.count("\n") == source.count("\n")
    module = {}
    exec(compile(spelt, "spelt", "exec", optimize=2), module)
    assert module["f"](1) == 1
    with pytest.raises(AssertionError, match="range"):
        module["f"](9)
