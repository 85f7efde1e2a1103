"""Shorter names in the compiled firmware: what changes, and that nothing else does."""

import ast
import types

import pytest

from flyve_mdm import ROOT
from flyve_mdm.build import libraries, shorten

FIRMWARE = sorted((ROOT / "firmware").glob("flyve/**/*.py"))


def _sources(paths) -> list[str]:
    return [path.read_text() for path in paths]


@pytest.fixture(scope="module")
def names():
    pinned = [library.source.read_text() for library in libraries.PINNED]
    return shorten.plan(_sources(FIRMWARE), pinned)


def _short(source: str, *others: str, library: str = "") -> str:
    return shorten.shorten(source, shorten.plan([source, *others], [library]))


def _shape(code: types.CodeType, classes: dict) -> tuple:
    """A function's code without its names: CPython refers to them by number, in order."""
    inner = [
        _shape(c, classes) if isinstance(c, types.CodeType) else (type(c), classes.get(c, c))
        for c in code.co_consts
    ]
    sizes = [len(n) for n in (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)]
    # Only the variables of closures are numbered by their names' alphabet.
    exact = len(code.co_freevars) + len(code.co_cellvars) < 2
    done = code.co_code if exact else len(code.co_code)
    return done, inner, sizes, code.co_argcount, code.co_kwonlyargcount, code.co_flags


def _without_const(source: str) -> str:
    return source.replace("from micropython import const\n", "\n")


@pytest.mark.parametrize("path", FIRMWARE, ids=lambda path: path.stem)
def test_the_code_of_a_module_differs_in_its_names_only(path, names):
    whole = path.read_text()
    short = shorten.shorten(whole, names)
    assert short.count("\n") == whole.count("\n")
    # The same instructions on the same numbers: no two names became one, none became two.
    before = compile(_without_const(whole), path.name, "exec", optimize=2)
    after = compile(short, path.name, "exec", optimize=2)
    assert _shape(before, names.private) == _shape(after, {})  # a class's name is a text, too


def test_no_short_name_is_anybody_elses(names):
    assert 100 < len(names.private) > 3 * len(set(names.private.values()))
    used = {
        word
        for source in _sources(FIRMWARE)
        for node in ast.walk(ast.parse(source))
        for word in (getattr(node, "id", None), getattr(node, "attr", None))
    }
    assert not used & set(names.private.values())


def test_a_private_name_is_the_same_in_all_sources():
    base = "class A:\n    def _go(self):\n        return self._x\n"
    derived = "class B(A):\n    def go(self):\n        self._x = 1\n        self._go()\n"
    plan = shorten.plan([base, derived])
    both = [shorten.shorten(source, plan) for source in (base, derived)]
    assert all("_" not in source for source in both)
    assert f"self.{plan.private['_go']}()" in both[1]


def test_names_that_never_meet_share_a_short_name():
    one, two = "class A:\n    _x = 1\n", "class B:\n    _y = 1\n"
    assert len(set(shorten.plan([one, two]).private.values())) == 1
    derived = "import one\nclass B(one.A):\n    _y = 1\n"
    assert len(set(shorten.plan([one, derived]).private.values())) == 2


def test_names_of_libraries_constants_and_texts_stay():
    source = (
        "_LIMIT = const(3)\n"
        "def _a(s):\n    return getattr(s, '_b')\n"
        "class C(Base):\n    def _send(self):\n        self._b = sys.implementation._mpy\n"
    )
    short = _short(source, library="class Base:\n    def _send(self): pass\n")
    assert short == source.replace("_a(", "a(")


def test_a_parameter_gets_a_letter_unless_it_is_passed_by_keyword():
    source = "def f(first, second, third=3):\n    return lambda other: first + other + third\n"
    short = _short(source, "f(1, second=2)\n")
    assert short == "def f(a, second, third=3):\n    return lambda b: a + b + third\n"


def test_a_parameter_never_hides_another_name():
    source = (
        "a = 1\n"
        "def f(thing):\n    return thing + a\n"
        "def g(limit, size=limit):\n    return [limit for b in size]\n"
        "def h(value):\n    try:\n        pass\n    except OSError as value:\n        pass\n"
        "def i(**more):\n    return more\n"
    )
    assert _short(source) == source.replace("thing", "b")


def test_a_script_follows_into_private_parts_but_keeps_its_own_names():
    plan = shorten.plan(["class A:\n    def __init__(self):\n        self._held = 0\n"])
    short = plan.private["_held"]
    source = "_held = thing._held  # of ._held\n"
    assert shorten.follow(source, plan) == f"_held = thing.{short}  # of ._held\n"


def test_an_assert_of_a_library_outlives_the_optimizer():
    source = "def f(x):\n    assert x > 0 and (\n        x < 9), 'range'\n    return x\n"
    spelt = shorten.spell_out_asserts(source)
    assert spelt.count("\n") == source.count("\n")
    module = {}
    exec(compile(spelt, "spelt", "exec", optimize=2), module)
    assert module["f"](1) == 1
    with pytest.raises(AssertionError, match="range"):
        module["f"](9)
