"""Compiles firmware/ into build/firmware/, the tree of files that goes to a board's flash.

boot.py and main.py stay source, for a board starts them by name; all else becomes .mpy at -O3
(without line numbers: a tenth of their RAM), our modules with shorter names (shorten.py;
build/names.json has the whole ones), the libraries with their asserts, which are protocol checks.
Our modules become one file (archive.py), with the set-up page (template.py), and have fewer names
there (literals.py); each by itself they are beside the tree, for ROMFS and for tests without a
board.
READABLE=1 in the environment builds with whole names and line numbers, to debug with;
COVERAGE=file with what says there which lines have run (probes.py).
boards/virtual/ goes to build/virtual/.
"""

import ast
import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from flyve_mdm import BUILD, CHECKOUT, ROOT, lock
from flyve_mdm.build import (
    archive,
    libraries,
    literals,
    probes,
    shorten,
    template,
    toolchain,
)

TREE = BUILD / "firmware"
VIRTUAL = BUILD / "virtual"
# What boards/manifest.py freezes beside firmware/: the page, as a module.
FROZEN = BUILD / "frozen"
# Folders on a board that hold nothing but firmware, with the slots of an agent that has updated
# itself, and the NVS key that says which of them runs.
OURS = ("/flyve/", "/flyve.a/", "/flyve.b/")
ARCHIVE = "flyve/agent.mpy"
PAGE = "flyve/jobs/setup"
UPDATE = ("flyve", "update")
# What an author's additions to the firmware may use: the names of these modules, and of the agent.
INTERFACE = ("flyve.registry", "flyve.log")
OF_THE_AGENT = {"main", "position", "settings", "user"}
_LOCK_WAIT = 120
_COMPILE_WAIT = 60
_PACKAGE = "flyve/__init__.mpy"
_LOOSE, _PACKED = "_PACKED = const(False)", "_PACKED = const(True)"


class BuildError(Exception):
    """A source does not compile; one line for each."""


@dataclass(frozen=True)
class Step:
    """One output file: a source, edited and compiled at a level, or copied when that is None."""

    source: Path
    target: str
    name: str = ""  # embedded in the .mpy, shown in tracebacks
    level: int | None = None
    edit: Callable[[str], str | bytes] | None = None

    def content(self) -> bytes:
        """What is compiled or copied; an edit keeps the lines where they are."""
        data = self.source.read_bytes()
        if self.edit is None:
            return data
        with contextlib.suppress(SyntaxError, UnicodeError):  # the compiler says it better
            edited = self.edit(data.decode())
            return edited if isinstance(edited, bytes) else edited.encode()
        return data


def build(arch: str | None = None) -> Path:
    """Brings a compiled tree up to date and returns its folder.

    Without `arch` that is build/firmware, with native code (if there is any) for the
    interpreter of this machine, and build/virtual beside it; with one ("xtensawin",
    "rv32imc") it is build/<arch>. Beside it are its modules(). Safe to call from several
    processes at once. Raises BuildError, libraries.LibraryError or toolchain.ToolchainError, each
    of one line.
    """
    native = toolchain.check()
    BUILD.mkdir(parents=True, exist_ok=True)
    with _lock(BUILD / ".lock"):
        libraries.fetch()
        if arch:
            _make_tree(BUILD / arch, arch)
            return BUILD / arch
        _make_tree(TREE, native)
        _write_names()
        _make(virtual_steps(), VIRTUAL, native)
        _make(_page_steps(".py", template.module), FROZEN, "")
    return TREE


def modules(tree: Path) -> Path:
    """The folder with the same firmware as a tree, in which each module is a file."""
    return tree.with_name(f"{tree.name}-modules")


def folders(paths: Iterable[str]) -> set[str]:
    """The folders on a board in which there are these files."""
    parents = {str(folder) for path in paths for folder in PurePosixPath(path).parents}
    return parents - {"/"}


def _make_tree(tree: Path, arch: str) -> None:
    loose = modules(tree)
    try:
        _make(firmware_steps(), loose, arch)
    except BuildError:
        (tree / ARCHIVE).unlink(missing_ok=True)
        raise
    paths = {path.relative_to(loose / "flyve"): path for path in loose.glob("flyve/**/*.*")}
    named = {
        path.with_suffix("").as_posix(): source.read_bytes()
        for path, source in paths.items()
        if path.as_posix() != "__init__.mpy"
    }
    try:
        keywords = shorten.keywords(path.read_text() for path in _sources())
        packed = {ARCHIVE: archive.pack(literals.free(named, keywords))} if named else {}
    except archive.ArchiveError as error:
        raise BuildError(f"{ARCHIVE}: {error}") from None
    _make(board_steps(), tree, arch, packed)


def board_steps() -> list[Step]:
    """What a board's flash holds beside the archive: its package, our scripts, both libraries."""
    steps = [step for step in firmware_steps() if not step.target.startswith("flyve/")]
    for step in firmware_steps():
        if step.target == _PACKAGE:
            steps.append(dataclasses.replace(step, edit=functools.partial(_packed, step.edit)))
    return steps


def _packed(edit: Callable[[str], str], source: str) -> str:
    return edit(source.replace(_LOOSE, _PACKED))


def firmware_steps() -> list[Step]:
    """Our files, each module by itself, and both libraries."""
    names = _names()
    level = 2 if names is None else 3
    steps = []
    for source, base in probes.bases(ROOT / "firmware").items():
        path = source.relative_to(ROOT / "firmware")
        probed = base if probes.wanted() else None
        edit = functools.partial(_edited, names if len(path.parts) > 1 else None, probed)
        if len(path.parts) > 1:
            target = path.with_suffix(".mpy").as_posix()
            steps.append(Step(source, target, path.stem, level, edit))
        else:
            steps.append(Step(source, path.name, edit=edit))
    steps += _page_steps(".dat", template.data)
    for library in libraries.PINNED:
        target = f"lib/{library.installed}.mpy"
        name = library.installed.rpartition("/")[2]
        steps.append(Step(library.source, target, name, level, shorten.spell_out_asserts))
    return steps


def follow(source: str) -> str:
    """The source of a script that reaches into the firmware: its names as compiled."""
    names = _names()
    with contextlib.suppress(SyntaxError):  # the board says it better
        return source if names is None else shorten.follow(source, names)
    return source


def shorten_too(source: str) -> str:
    """The source of a module of the firmware that a test has changed, as it would be compiled."""
    names = _names()
    return source if names is None else shorten.shorten(source, names)


@functools.lru_cache(512)  # a process that builds often, as for many boards, changes little
def _edited(names: shorten.Names | None, base: int | None, source: str) -> str:
    source = source if base is None else probes.instrument(source, base)
    return source if names is None else shorten.shorten(source, names)


def _page_steps(suffix: str, made: Callable[[str], str | bytes]) -> list[Step]:
    def edit(source: str) -> str | bytes:
        try:
            return made(source)
        except template.TemplateError as error:
            raise BuildError(f"firmware/{PAGE}.html: {error}") from None

    source = ROOT / "firmware" / f"{PAGE}.html"
    # The name is another one than that of a module beside it, for the archive knows no suffix.
    return [Step(source, f"{PAGE}_html{suffix}", edit=edit)] if source.exists() else []


def _names() -> shorten.Names | None:
    if os.environ.get("READABLE"):
        return None
    folder = ROOT / "firmware"
    paths = _sources()
    modules = (".".join(path.relative_to(folder).with_suffix("").parts) for path in paths)
    return _plan(*zip(modules, (path.read_bytes() for path in paths), strict=True))


def _sources() -> list[Path]:
    return sorted((ROOT / "firmware").glob("flyve/**/*.py"))


@functools.cache
def _plan(*sources: tuple[str, bytes]) -> shorten.Names:
    parsed = {}
    for module, source in sources:
        with contextlib.suppress(SyntaxError, UnicodeError):  # the compiler says it better
            ast.parse(source)
            parsed[module] = source.decode()
    others = [library.source for library in libraries.PINNED]
    others += (ROOT / "firmware").glob("*.py")
    known = OF_THE_AGENT | toolchain.names()
    for path in (ROOT / "boards" / "virtual").glob("*.py"):
        known.update(shorten.named(path.read_text()))  # among them those of a chip's modules
    return shorten.plan(parsed, [path.read_text() for path in others], INTERFACE, known)


def virtual_steps() -> list[Step]:
    """The modules that make the unix port an ESP32."""
    return [
        Step(source, f"{source.stem}.mpy", f"virtual/{source.name}", 0)
        for source in sorted((ROOT / "boards" / "virtual").glob("*.py"))
    ]


def compile_file(source: Path, target: Path, name: str, level: int, arch: str = "") -> None:
    """Compiles one source; `name` is what tracebacks show. Raises BuildError."""
    compile_step(Step(source, "", name, level), target, arch)


def compile_step(step: Step, target: Path, arch: str = "") -> None:
    """Compiles one step's source to `target`. Raises BuildError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    argv = [toolchain.mpy_cross(), f"-O{step.level}", "-s", step.name, "-o", target]
    argv += [f"-march={arch}"] if arch else []
    argv.append("-")
    done = subprocess.run(
        argv, check=False, capture_output=True, input=step.content(), timeout=_COMPILE_WAIT
    )
    if done.returncode:
        target.unlink(missing_ok=True)
        said = (done.stderr or done.stdout).decode("utf-8", "replace")
        raise BuildError(_diagnosis(step.source, said))


def _make(
    steps: list[Step], out: Path, arch: str, ready: Mapping[str, bytes] = MappingProxyType({})
) -> None:
    # What was made, and from what: outputs whose digest is unchanged are left alone.
    record = out.parent / f".{out.name}.json"
    try:
        made = json.loads(record.read_text())
    except (OSError, ValueError):
        made = {}
    fresh, errors = {}, []
    for step in steps:
        target = out / step.target
        try:
            data = step.content()
            flags = f"{step.name} {step.level} {arch} {toolchain.compiler_version()}"
            digest = hashlib.sha256(flags.encode() + data).hexdigest()
            if made.get(step.target) != digest or not target.exists():
                _run(step, target, arch, data)
            fresh[step.target] = digest
        except BuildError as error:
            errors.append(str(error))
    for name, data in ready.items():
        fresh[name] = hashlib.sha256(data).hexdigest()
        if made.get(name) != fresh[name] or not (out / name).exists():
            libraries.write(out / name, data)
    _remove_stale(out, fresh)
    libraries.write(record, json.dumps(fresh, indent=1).encode())
    if errors:
        raise BuildError("\n".join(errors))


def _run(step: Step, target: Path, arch: str, data: bytes) -> None:
    if step.level is None:
        libraries.write(target, data)
        return
    part = target.with_name(target.name + ".part")
    compile_step(step, part, arch)
    part.replace(target)


def _write_names() -> None:
    """For the reader of a board's traceback: short name -> the whole names for which it stands."""
    names = _names()
    whole: dict[str, list[str]] = {}
    for name, short in names.short.items() if names else ():
        whole.setdefault(short, []).append(name)
    text = json.dumps(whole, indent=1, sort_keys=True) + "\n"
    libraries.write(BUILD / "names.json", text.encode())


def _remove_stale(out: Path, wanted) -> None:
    for path in sorted(out.rglob("*"), reverse=True):
        if path.is_dir():
            with contextlib.suppress(OSError):  # not empty
                path.rmdir()
        elif path.relative_to(out).as_posix() not in wanted:
            path.unlink()


def _diagnosis(source: Path, output: str) -> str:
    with contextlib.suppress(ValueError):
        source = source.resolve().relative_to(ROOT)
    lines = output.strip().splitlines() or ["mpy-cross failed and said nothing"]
    where = [line.split("line ")[1].split(",")[0] for line in lines if ", line " in line]
    return ":".join([str(source), *where[-1:], f" {lines[-1]}"])


@contextlib.contextmanager
def _lock(path: Path):
    with path.open("w") as file:
        if not lock.take(file, _LOCK_WAIT):
            raise BuildError(f"another build has held {path} for {_LOCK_WAIT} s")
        yield


def main() -> None:
    """`python -m flyve_mdm.build.firmware`: builds the tree for this machine's interpreter."""
    try:
        out = build()
    except (BuildError, libraries.LibraryError, toolchain.ToolchainError, OSError) as error:
        sys.exit(f"error: {error}")
    count = sum(path.is_file() for path in out.rglob("*"))
    print(f"{out.relative_to(ROOT) if CHECKOUT else out}: {count} files")


if __name__ == "__main__":
    main()
