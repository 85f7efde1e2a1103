"""Whether what stays in memory forgets the jobs that it has imported, and all that they bring."""

import ast

import pytest

from flyve_mdm import ROOT

FLYVE = ROOT / "firmware" / "flyve"
STAYS = {path.stem: ast.parse(path.read_text()) for path in FLYVE.glob("[!_]*.py")}
JOBS = {path.stem: ast.parse(path.read_text()) for path in FLYVE.glob("jobs/[!_]*.py")}
# What begins a job, or is one: at its end, agent.py and online.py drop all of it.
LATER = {
    "agent._enroll": "agent.Agent._advance",
    "online.Online.job": "agent.Agent._advance",
    "online.Online.ended": "online.Online.job, in the next turn",
    "agent.Agent.step": "wifi.Wifi.step, but for the set-up page, with which no board is enrolled",
}


def _functions(module, tree, prefix=""):
    """The functions of a module and the methods of its classes, by name."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield f"{module}.{prefix}{node.name}", node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(module, node, f"{node.name}.")


def _imported(nodes):
    """The jobs that are imported there, by the names that they have there."""
    return {
        alias.asname or alias.name: alias.name
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module == "flyve.jobs"
        for alias in node.names
    }


def _drops(function):
    """What each drop() there names; nothing: all."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "memory.drop":
            yield [arg.value for arg in node.args]


def _with_its_own(names):
    """These jobs, and what they import at their top."""
    found, new = set(), list(names)
    while new:
        name = new.pop()
        found.add(name)
        new += set(_imported(JOBS[name].body).values()) - found
    return found


def _forgotten(function):
    drops = list(_drops(function))
    return set(JOBS) if [] in drops else _with_its_own(sum(drops, []))


def _used(function, names):
    """What is used there of these modules: (module, function)."""
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id in names:
                yield names[node.value.id], node.attr


def _left(function, tree):
    """What a call of the function leaves in memory."""
    imported = _imported(ast.walk(function))
    left = _with_its_own(imported.values())
    for module, name in _used(function, {**_imported(tree.body), **imported}):
        left |= _left_by(module, name)
    return left - _forgotten(function)


def _left_by(module, name, known={}):  # noqa: B006
    """The same of a job's function, and of the others that it calls in its module."""
    if (module, name) in known:
        return known[module, name]
    known[module, name] = left = set()
    tree = JOBS[module]
    functions = {}
    for key, node in _functions(module, tree):
        functions.setdefault(key.split(".")[1], []).append(node)
    new, seen = [name], set()
    while new:
        name = new.pop()
        seen.add(name)
        for function in functions.get(name, []):
            left |= _left(function, tree)
            named = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
            new += (named & functions.keys()) - seen
    return left


STAYING = {
    name: (function, tree)
    for module, tree in STAYS.items()
    for name, function in _functions(module, tree)
    if _imported(ast.walk(function))
}


@pytest.mark.parametrize("name", sorted(STAYING.keys() - LATER.keys()))
def test_what_stays_forgets_the_jobs_that_it_has_used(name):
    assert not _left(*STAYING[name])


def test_what_is_dropped_later_still_is():
    known = dict(f for module, tree in STAYS.items() for f in _functions(module, tree))
    for name, later in LATER.items():
        if name not in STAYING:
            continue  # it has gone
        left = _with_its_own(_imported(ast.walk(STAYING[name][0])).values())
        assert left <= _forgotten(known[later.split(",")[0]]), name


@pytest.mark.parametrize("name", sorted({**STAYS, **JOBS}))
def test_what_is_dropped_is_a_job(name):
    for names in _drops({**STAYS, **JOBS}[name]):
        assert set(names) <= JOBS.keys()


def test_a_job_imports_another_at_its_top_as_a_module():
    # So that drop() finds it there.
    others = [
        f"{name}: {ast.unparse(node)}"
        for name, tree in JOBS.items()
        for node in tree.body
        if isinstance(node, ast.ImportFrom | ast.Import) and "flyve.jobs." in ast.unparse(node)
    ]
    assert not others
