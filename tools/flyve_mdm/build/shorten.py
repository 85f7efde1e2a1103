"""Shortens names in the firmware's sources before they are compiled: a quarter of a .mpy is names.

Private names (_x) become a letter or two, each the same in all sources. Two names share one short
name unless they meet in a source or in a class and its subclass: each distinct name costs RAM for
as long as the board is on. So do the functions and variables of a job's module, which is nobody's
interface: they are always named with their module, so each module has its letters to itself. So do
parameters that are never passed by keyword; locals have no names
in a .mpy. The import of const goes, for the compiler does its work. No line moves, and no text
changes.
"""

import ast
import builtins
import io
import itertools
import keyword
import string
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

# Names that the interpreter gives its own objects.
_INTERPRETER = {"_build", "_machine", "_mpy", "_thread"}
_JOBS = "flyve.jobs"


@dataclass(frozen=True)
class Names:
    """What may be renamed: `private`, name -> short name; of each job's module, by its name in
    `jobs`, public name -> short name; and no parameter in `keywords`."""

    private: dict[str, str]
    keywords: frozenset[str]
    jobs: Mapping[str, dict[str, str]]


def plan(
    sources: Iterable[str], libraries: Iterable[str] = (), jobs: Mapping[str, str] | None = None
) -> Names:
    """Chooses the short names for all these sources; no name that a library has is touched. jobs:
    module -> source of what lies in flyve/jobs, which are among the sources, too.

    Raises ValueError when a job's module is used in another way than to name something in it."""
    trees = [ast.parse(source) for source in sources]
    foreign = [ast.parse(source) for source in libraries]
    counts = Counter()
    defined: set[str] = set()
    kept = set(_INTERPRETER)
    for tree in trees:
        counts.update(set(_identifiers(tree)))
        defined.update(_defined(tree))
        kept.update(_folded(tree), _texts(tree))
    for tree in foreign:
        kept.update(_identifiers(tree))
    private = {name for name in defined - kept if _is_private(name)}
    taken = {*counts, *kept, *dir(builtins), *keyword.kwlist, *keyword.softkwlist}
    short = _share(private, _rooms(trees), counts, taken)
    keywords = {
        node.arg
        for tree in (*trees, *foreign)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword)
    }
    for tree in trees:
        _check_imports(tree)
    public = {
        module: _public(ast.parse(source), short, kept, taken)
        for module, source in (jobs or {}).items()
    }
    return Names(short, frozenset(keywords - {None}), public)


def _public(
    tree: ast.Module, private: dict[str, str], kept: set[str], taken: set[str]
) -> dict[str, str]:
    """Short names for the functions and variables of a job's module."""
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    for node in tree.body:
        if isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    ambiguous = {*kept, *_also_local(tree)}
    used = {private.get(name) for name in _identifiers(tree)}
    letters = (name for name in _short_names(taken) if name not in used)
    wanted = [n for n in names if not n.startswith("_") and len(n) > 1 and n not in ambiguous]
    return dict(zip(wanted, letters, strict=False))


def _also_local(tree: ast.Module) -> Iterator[str]:
    """The names that stand for something else in the module, too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.keyword):
            yield node.arg or ""
        elif isinstance(node, ast.alias):
            yield from (node.name, node.asname or "")
        elif isinstance(node, ast.ExceptHandler | ast.ClassDef):
            yield node.name or ""
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
            elif node is not function and isinstance(node, ast.FunctionDef):
                yield node.name


def _imported(scope: ast.AST) -> dict[str, str]:
    """The names under which a scope, without those inside it, imports modules of jobs."""
    return {
        alias.asname or alias.name: f"{_JOBS}.{alias.name}"
        for node in _scope(scope)
        if isinstance(node, ast.ImportFrom) and node.module == _JOBS
        for alias in node.names
    }


def _scope(scope: ast.AST) -> Iterator[ast.AST]:
    """All of a function or a module but for the functions in it, which come without their
    content."""
    for node in ast.iter_child_nodes(scope):
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda):
            yield from _scope(node)


def _mentions(scope: ast.AST, outer: Mapping[str, str]) -> Iterator[tuple[ast.Name, str]]:
    """Each mention of a module of jobs, and that module."""
    bound = {getattr(node, "arg", None) for node in ast.walk(getattr(scope, "args", ast.Pass()))}
    for node in _scope(scope):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
    known = {name: module for name, module in outer.items() if name not in bound}
    known.update(_imported(scope))
    for node in _scope(scope):
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            yield from _mentions(node, known)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in known:
            yield node, known[node.id]


def _check_imports(tree: ast.Module) -> None:
    named = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node, _ in _mentions(tree, {}):
        if id(node) not in named:
            raise ValueError(f"line {node.lineno}: the module {node.id} is passed on")


def _rooms(trees: list[ast.Module]) -> list[set[str]]:
    """The names that meet: those of a source, and of one that has a class's base with it."""
    rooms = [set(_identifiers(tree)) for tree in trees]
    classes = [
        [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)] for tree in trees
    ]
    home = {node.name: n for n, found in enumerate(classes) for node in found}
    for n, found in enumerate(classes):
        for base in (base for node in found for base in node.bases):
            other = home.get(getattr(base, "attr", getattr(base, "id", None)), n)
            if other != n:
                rooms.append(rooms[n] | rooms[other])
    return rooms


def _share(
    private: set[str], rooms: list[set[str]], counts: Counter, taken: set[str]
) -> dict[str, str]:
    """A short name for each private one, as few different ones as a greedy choice finds."""
    short: dict[str, str] = {}
    for name in sorted(private, key=lambda name: (-counts[name], name)):
        met = {short.get(other) for room in rooms if name in room for other in room & private}
        short[name] = next(word for word in _short_names(taken) if word not in met)
    return short


def shorten(source: str, names: Names, module: str = "") -> str:
    """The source, of that module, with shorter names; it has as many lines as before."""
    source = _without_const(source)
    source = _replace(source, _own_edits(source, names.jobs.get(module, {})))
    source = _replace(source, _job_edits(source, names.jobs))
    source = _replace(source, _private_edits(source, names.private))
    return _replace(source, _parameter_edits(source, names.keywords))


def follow(source: str, names: Names) -> str:
    """The source of a test, with the attributes that it takes from the firmware renamed."""
    source = follow_jobs(source, names)
    return _replace(source, _attribute_edits(source, names.private))


def follow_jobs(source: str, names: Names) -> str:
    """The source of another module, with what it takes from jobs' modules renamed."""
    return _replace(source, _job_edits(source, names.jobs))


def spell_out_asserts(source: str) -> str:
    """The source with its asserts as `if not ...: raise`: they outlive the compiler's -O3."""
    edits = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assert):
            text = f"if not ({ast.unparse(node.test)}): raise AssertionError"
            text += f"({ast.unparse(node.msg)})" if node.msg else ""
            edits.append((node, text))
    lines = source.splitlines(keepends=True)
    for node, text in sorted(edits, key=lambda edit: -edit[0].lineno):
        first, last = lines[node.lineno - 1], lines[node.end_lineno - 1]
        if first[: node.col_offset].strip() or last[node.end_col_offset :].strip():
            raise ValueError(f"line {node.lineno}: an assert shares its line")
        gone = node.end_lineno - node.lineno
        text = first[: node.col_offset] + text + "\n" * (1 + gone)
        lines[node.lineno - 1 : node.end_lineno] = text.splitlines(keepends=True)
    return "".join(lines)


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def _short_names(taken: set[str]) -> Iterator[str]:
    for length in itertools.count(1):
        for letters in itertools.product(string.ascii_letters, repeat=length):
            name = "".join(letters)
            if name not in taken:
                yield name


def _identifiers(tree: ast.AST) -> Iterator[str]:
    """Every name in the tree, whatever it stands for."""
    for node in ast.walk(tree):
        for field in ("id", "attr", "name", "arg", "asname"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                yield from value.split(".")
        if isinstance(node, ast.Global | ast.Nonlocal):
            yield from node.names


def _defined(tree: ast.AST) -> Iterator[str]:
    """The names that the tree itself makes: the rest belong to others."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.attr if isinstance(node, ast.Attribute) else node.id
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname


def _folded(tree: ast.Module) -> Iterator[str]:
    """The names of constants: the compiler makes numbers of them, if they stay private."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            if isinstance(node.value.func, ast.Name) and node.value.func.id == "const":
                yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _texts(tree: ast.AST) -> Iterator[str]:
    """Texts that may be names: for getattr() and the like."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _without_const(source: str) -> str:
    lines = source.splitlines(keepends=True)
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and node.module == "micropython":
            if [alias.name for alias in node.names] == ["const"]:
                for at in range(node.lineno - 1, node.end_lineno):
                    lines[at] = "\n"
    return "".join(lines)


# An edit is (line from 1, column from 0 in characters, old, new).


def _replace(source: str, edits: Iterable[tuple[int, int, str, str]]) -> str:
    lines = source.splitlines(keepends=True)
    for line, column, old, new in sorted(set(edits), reverse=True):
        text = lines[line - 1]
        if text[column : column + len(old)] != old:
            raise ValueError(f"line {line}: {old} is not where it should be")
        lines[line - 1] = text[:column] + new + text[column + len(old) :]
    return "".join(lines)


def _private_edits(source: str, private: dict[str, str]) -> Iterator[tuple[int, int, str, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME and token.string in private:
            yield (*token.start, token.string, private[token.string])


def _own_edits(source: str, public: dict[str, str]) -> Iterator[tuple[int, int, str, str]]:
    before = None
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME and token.string in public and before != ".":
            yield (*token.start, token.string, public[token.string])
        before = token.string


def _job_edits(
    source: str, jobs: Mapping[str, dict[str, str]]
) -> Iterator[tuple[int, int, str, str]]:
    """What a source takes from jobs' modules: by their names, or imported from them."""
    tree = ast.parse(source)
    lines = source.splitlines()
    modules = {id(node): module for node, module in _mentions(tree, {})}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and id(node.value) in modules:
            short = jobs.get(modules[id(node.value)], {}).get(node.attr)
            if short:
                # ast counts bytes.
                head = lines[node.end_lineno - 1].encode()[: node.end_col_offset].decode()
                yield node.end_lineno, len(head) - len(node.attr), node.attr, short
        elif isinstance(node, ast.ImportFrom) and node.module in jobs:
            for alias in node.names:
                short = jobs[node.module].get(alias.name)
                if short:
                    new = short if alias.asname else f"{short} as {alias.name}"
                    yield alias.lineno, alias.col_offset, alias.name, new


def _attribute_edits(source: str, private: dict[str, str]) -> Iterator[tuple[int, int, str, str]]:
    before = None
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME and token.string in private and before == ".":
            yield (*token.start, token.string, private[token.string])
        before = token.string


def _parameter_edits(source: str, keywords: frozenset[str]) -> Iterator[tuple[int, int, str, str]]:
    lines = source.splitlines()
    for function in _functions(ast.parse(source)):
        taken = {*_identifiers(function), *keyword.kwlist}
        for node, old, new in _parameters(function, keywords, taken):
            # ast counts bytes.
            head = lines[node.lineno - 1].encode()[: node.col_offset].decode()
            yield node.lineno, len(head), old, new


def _parameters(
    function: ast.FunctionDef | ast.Lambda, kept: Iterable[str], taken: set[str]
) -> Iterator[tuple[ast.Name | ast.arg, str, str]]:
    """Gives each mention of a parameter that gets a fresh name. Inside the function all mentions
    of a name change alike, so what stands for two things there does so afterwards, too."""
    kept = {*kept, *_bound_otherwise(function)}
    wanted = [arg for arg in _positional(function) if len(arg) > 1 and arg not in kept]
    short = dict(zip(wanted, _short_names(taken), strict=False))
    for node in ast.walk(function):
        name = getattr(node, "arg" if isinstance(node, ast.arg) else "id", None)
        if name in short:
            yield node, name, short[name]
    for child in ast.iter_child_nodes(function):
        for inner in _functions(child):
            yield from _parameters(inner, {*kept, *short}, {*taken, *short.values()})


def _positional(function: ast.FunctionDef | ast.Lambda) -> list[str]:
    """Parameters that nobody passes by keyword; one of a public function that has a default may
    be, by an application."""
    args = function.args
    if args.kwarg:
        return []
    required = len(args.args) - len(args.defaults)
    if isinstance(function, ast.Lambda) or _is_private(function.name):
        required = len(args.args)
    return [arg.arg for arg in args.args[:required] if arg.arg != "self"]


def _bound_otherwise(function: ast.FunctionDef | ast.Lambda) -> Iterator[str]:
    """Names that are not, or not only, variables inside the function."""
    for default in (*function.args.defaults, *function.args.kw_defaults):
        if default is not None:
            yield from _identifiers(default)
    for node in ast.walk(function):
        if isinstance(node, ast.Global | ast.Nonlocal):
            yield from node.names
        elif isinstance(node, ast.FunctionDef | ast.ExceptHandler) and node.name:
            yield node.name
        elif isinstance(node, ast.alias | ast.ClassDef):
            yield from _identifiers(node)


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.Lambda]:
    """The outermost functions of a tree, itself included."""
    if isinstance(tree, ast.FunctionDef | ast.Lambda):
        yield tree
        return
    for node in ast.iter_child_nodes(tree):
        yield from _functions(node)
