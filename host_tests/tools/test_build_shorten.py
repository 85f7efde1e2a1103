"""Shorter names in the compiled firmware: what changes, and that nothing else does."""

import ast
import dis
import types

import pytest

from flyve_mdm import ROOT
from flyve_mdm.build import libraries, shorten

FOLDER = ROOT / "firmware"
FIRMWARE = sorted(FOLDER.glob("flyve/**/*.py"))


def _sources(paths) -> list[str]:
    return [path.read_text() for path in paths]


def _module(path) -> str:
    return ".".join(path.relative_to(FOLDER).with_suffix("").parts)


@pytest.fixture(scope="module")
def names():
    pinned = [library.source.read_text() for library in libraries.PINNED]
    jobs = {_module(path): path.read_text() for path in FIRMWARE if path.parent.name == "jobs"}
    return shorten.plan(_sources(FIRMWARE), pinned, jobs)


def _short(source: str, *others: str, library: str = "") -> str:
    return shorten.shorten(source, shorten.plan([source, *others], [library]))


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
    short = shorten.shorten(whole, names, _module(path))
    assert short.count("\n") == whole.count("\n")
    before = _shape(compile(_without_const(whole), path.name, "exec", optimize=2))
    after = _shape(compile(short, path.name, "exec", optimize=2))
    assert before[0] == after[0]
    pairs = {*names.private.items()}.union(*(public.items() for public in names.jobs.values()))
    differing = {pair for pair in zip(before[1], after[1], strict=True) if pair[0] != pair[1]}
    assert differing <= pairs


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


JOB = """
def begin(item):
    text = "a word"
    return take(item), text

def take(item):
    return LIMIT, item

def text():
    pass

LIMIT = 4
"""
USER = """
from flyve.jobs import copy
from flyve.jobs.copy import take

def go(begin):
    copy.begin(1)
    begin.copy.take(copy.LIMIT, copy.text)

def other(copy):
    return copy.begin, take
"""


def _with_job(source):
    job = "flyve.jobs.copy"
    plan = shorten.plan([JOB, source], jobs={job: JOB})
    return plan.jobs[job], shorten.shorten(JOB, plan, job), plan


def test_a_jobs_functions_and_variables_get_letters_wherever_they_are_named():
    short, job, plan = _with_job(USER)
    assert short.keys() == {"begin", "take", "LIMIT"}  # `text` is a variable there, too
    module, names = {}, dict(short)
    exec(job, module)
    assert module[names["begin"]](7) == ((4, 7), "a word") and "begin" not in module
    for edit in (shorten.shorten, shorten.follow):
        text = edit(USER, plan)
        assert f"    copy.{short['begin']}(1)\n" in text
        assert f"copy.take(copy.{short['LIMIT']}, copy.text)" in text
        assert f"from flyve.jobs.copy import {short['take']} as take" in text
        assert ".begin, take" in text  # of a variable of that name


def test_a_module_of_jobs_that_is_passed_on_is_refused():
    with pytest.raises(ValueError, match="line 4: the module copy is passed on"):
        _with_job("def go():\n    from flyve.jobs import copy\n\n    return run(copy)\n")


def test_an_assert_of_a_library_outlives_the_optimizer():
    source = "def f(x):\n    assert x > 0 and (\n        x < 9), 'range'\n    return x\n"
    spelt = shorten.spell_out_asserts(source)
    assert spelt.count("\n") == source.count("\n")
    module = {}
    exec(compile(spelt, "spelt", "exec", optimize=2), module)
    assert module["f"](1) == 1
    with pytest.raises(AssertionError, match="range"):
        module["f"](9)
