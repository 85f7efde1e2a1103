"""Texts of jobs become constants of their modules: what they say and do stays the same."""

import subprocess

import pytest

from flyve_mdm.build import firmware, literals, toolchain

JOB = """
KINDS = {"first": 1, "alike": 2, "third one": 3}


def pick(kind, default="none"):
    def inner(alike):
        return "%s-%s" % (alike, kind) + "\\x7f"
    try:
        for text in ("first", "other"):
            if text == kind:
                return inner(text), KINDS[text], sorted(KINDS), f"<{kind}>"
        while kind != "":
            kind = kind[1:] if len(kind) > 3 and kind not in ["never"] else ""
        return named(default=default, given="keyword")
    except KeyError:
        raise ValueError("not there")


def named(given, default):
    return given, default, getattr(Held, "speed"), isinstance(kept["word"], str)


class Held:
    speed = 5


kept = dict(word="third one")
print(pick("first"), pick("unknown", "given"))
try:
    pick("other")
except ValueError as e:
    print(e)
"""
OTHER = "print({'alike': 1})\n"


@pytest.fixture
def compiled(tmp_path):
    sources = {"jobs/job": JOB, "jobs/other": OTHER, "stays": "print('only here')\n"}
    found = {}
    for name, text in sources.items():
        source = tmp_path / f"{name.replace('/', '_')}.py"
        source.write_text(text)
        firmware.compile_file(source, source.with_suffix(".mpy"), source.stem, 3)
        found[name] = source.with_suffix(".mpy").read_bytes()
    return found


def _names(data):
    return {name.decode() for name in literals.Module(data).names if name}


def _printed(folder, data):
    (folder / "module.mpy").write_bytes(data)
    argv = [toolchain.micropython(), "-c", "import module"]
    return subprocess.run(argv, cwd=folder, check=True, capture_output=True, text=True).stdout


def test_a_module_says_the_same_with_constants(compiled, tmp_path):
    free = literals.free(compiled, {"given", "default", "word"})
    was = _printed(tmp_path, compiled["jobs/job"])
    assert "('first-first\\x7f', 1, [" in was
    assert _printed(tmp_path, free["jobs/job"]) == was


def test_the_texts_of_one_job_are_no_names(compiled):
    before, after = (
        _names(modules["jobs/job"])
        for modules in (compiled, literals.free(compiled, {"given", "default", "word"}))
    )
    assert before - after == {
        "first", "other", "third one", "none", "unknown", "never", "not there", "%s-%s", "\x7f",
        "<{}>", "keyword",
    } & before  # fmt: skip
    assert before - after >= {"first", "third one", "%s-%s", "never"}


def test_what_is_a_name_elsewhere_or_passes_an_argument_stays(compiled):
    after = _names(literals.free(compiled, {"given", "default", "word"})["jobs/job"])
    assert {"alike", "given", "default", "word", "speed", "pick", "Held"} <= after


def test_what_is_no_job_is_left_alone(compiled):
    assert literals.free(compiled, set())["stays"] == compiled["stays"]


def test_what_is_no_module_is_left_alone(compiled):
    page = {
        "jobs/page_html": b"<html>",
        "jobs/native": b"M\x06\x2b\x1f",
        "jobs/newer": b"M\x07\0\x1f",
    }
    free = literals.free({**compiled, **page}, set())
    assert page.items() <= free.items()


def test_a_module_without_such_texts_is_the_same(compiled):
    for data in compiled.values():
        assert literals.Module(data).make_constants(set()) == data


def test_more_constants_than_one_byte_counts_stay_names(tmp_path):
    source = tmp_path / "job.py"
    values = [f"t{n}" for n in range(120)]
    numbers = [n + 0.5 for n in range(99)]  # other constants
    source.write_text(f"print({values}, {numbers})")
    firmware.compile_file(source, source.with_suffix(".mpy"), "job", 3)
    data = source.with_suffix(".mpy").read_bytes()
    free = literals.free({"jobs/job": data}, set())["jobs/job"]
    assert 0 < len(_names(data) - _names(free)) < len(values)
    assert _printed(tmp_path, free) == _printed(tmp_path, data)


def test_the_agents_own_modules_have_fewer_names():
    loose = firmware.modules(firmware.build()) / "flyve"
    modules = {
        path.relative_to(loose).with_suffix("").as_posix(): path.read_bytes()
        for path in loose.rglob("*.mpy")
    }
    free = literals.free(modules, set())
    before, after = (set().union(*map(_names, found.values())) for found in (modules, free))
    assert len(before - after) > 150
