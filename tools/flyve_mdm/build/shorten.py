"""Shortens names in the firmware's sources before they are compiled: each distinct name costs RAM
for as long as the board is on, and a quarter of a .mpy is names.

What the firmware itself names (functions, classes, attributes, variables of modules) becomes a
letter or two, each the same in all sources. Two names share one short name unless they meet in a
source or in a class and its subclass. What others know stays: names that the interpreter, the
chip's modules or the libraries have, those of `interface` (modules that a firmware's author
uses), of modules and exceptions (a log may show them), keywords, and whatever is a text
somewhere. Parameters become a letter, too, if they are never passed by keyword; locals have no
names in a .mpy. The import of const goes, for the compiler does its work. No line moves, and no
text changes.
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


@dataclass(frozen=True, eq=False)
class Names:
    """What may be renamed: `short`, name -> short name; and no parameter in `keywords`. Each plan
    is another one, for who keeps what was made by it."""

    short: dict[str, str]
    keywords: frozenset[str]


def plan(
    sources: Mapping[str, str],
    libraries: Iterable[str] = (),
    interface: Iterable[str] = (),
    known: Iterable[str] = (),
) -> Names:
    """Chooses the short names for all these sources (module -> source). libraries: sources of
    others; interface: the modules whose names stay; known: further names that stay."""
    trees = {module: ast.parse(source) for module, source in sources.items()}
    foreign = [ast.parse(source) for source in libraries]
    kept = {*known, *dir(builtins), *(part for module in sources for part in module.split("."))}
    kept.update(_exceptions(list(trees.values())))
    counts: Counter[str] = Counter()
    named: set[str] = set()
    for module, tree in trees.items():
        counts.update(set(_identifiers(tree)))
        own = set(_given(tree))
        if module in interface:
            kept.update(name for name in own if not _is_private(name))
        named.update(own)
        kept.update(_folded(tree), _texts(tree))
    for tree in foreign:
        kept.update(_identifiers(tree))
    keywords = _keywords([*trees.values(), *foreign])
    wanted = {name for name in named - kept - keywords if not name.startswith("__")} - {"_"}
    taken = {*counts, *kept, *keywords, *keyword.kwlist, *keyword.softkwlist}
    short = _share(wanted, _rooms(list(trees.values())), counts, taken)
    return Names(short, frozenset(keywords))


def keywords(sources: Iterable[str]) -> set[str]:
    """The names that these sources pass arguments by."""
    return _keywords([ast.parse(source) for source in sources])


def _keywords(trees: list[ast.Module]) -> set[str]:
    return {
        node.arg
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg
    }


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
    wanted: set[str], rooms: list[set[str]], counts: Counter, taken: set[str]
) -> dict[str, str]:
    """A short name for each, as few different ones as a greedy choice finds."""
    short: dict[str, str] = {}
    for name in sorted(wanted, key=lambda name: (-counts[name], name)):
        met = {short.get(other) for room in rooms if name in room for other in room & wanted}
        short[name] = next(word for word in _short_names(taken) if word not in met)
    return short


def shorten(source: str, names: Names) -> str:
    """The source with shorter names; it has as many lines as before."""
    source = _without_const(source)
    source = _replace(source, _name_edits(source, names.short))
    return _replace(source, _parameter_edits(source, names.keywords))


def follow(source: str, names: Names) -> str:
    """The source of a script beside the firmware: its own variables stay, what it takes from the
    firmware, and what its classes have in common with the firmware's, is renamed."""
    return _replace(source, _attribute_edits(source, names.short))


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


def named(source: str) -> set[str]:
    """The public names that a source gives, but for those of variables inside functions."""
    return {name for name in _given(ast.parse(source)) if not _is_private(name)}


def _given(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Global):
            yield from node.names
        if isinstance(node, ast.Module | ast.ClassDef):
            yield from _assigned(node.body)


def _exceptions(trees: list[ast.Module]) -> set[str]:
    """The classes that can be raised."""
    found = {name for name in dir(builtins) if isinstance(getattr(builtins, name), type(OSError))}
    found = {name for name in found if issubclass(getattr(builtins, name), BaseException)}
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    before = 0
    while len(found) > before:
        before = len(found)
        for node in classes:
            bases = {getattr(base, "attr", getattr(base, "id", None)) for base in node.bases}
            if bases & found:
                found.add(node.name)
    return found


def _assigned(body: list[ast.stmt]) -> Iterator[str]:
    for statement in body:
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name))


def _folded(tree: ast.Module) -> Iterator[str]:
    """The names of constants: the compiler puts their values wherever it reads them, even where a
    parameter has that name."""
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


def _name_edits(source: str, short: dict[str, str]) -> Iterator[tuple[int, int, str, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME and token.string in short:
            yield (*token.start, token.string, short[token.string])


def _attribute_edits(source: str, short: dict[str, str]) -> Iterator[tuple[int, int, str, str]]:
    before = None
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME and token.string in short and before == ".":
            yield (*token.start, token.string, short[token.string])
        before = token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "flyve":
            for alias in node.names:
                if alias.name in short:
                    new = short[alias.name] + ("" if alias.asname else f" as {alias.name}")
                    yield alias.lineno, alias.col_offset, alias.name, new
        elif isinstance(node, ast.ClassDef):
            for one in node.body:
                if isinstance(one, ast.FunctionDef) and one.name in short:
                    column = one.col_offset + len("def ")
                    yield one.lineno, column, one.name, short[one.name]
                elif isinstance(one, ast.Assign):
                    for target in one.targets:
                        if isinstance(target, ast.Name) and target.id in short:
                            at = target.lineno, target.col_offset
                            yield (*at, target.id, short[target.id])


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
