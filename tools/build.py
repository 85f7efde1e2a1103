"""Compiles firmware/ into build/firmware/, the tree of files that goes to a board's flash.

boot.py and main.py stay source, for a board starts them by name; all else becomes .mpy:
our modules at -O3 (without line numbers: a tenth of their RAM), the libraries at -O0, for
their asserts are protocol checks. boards/virtual/ goes to build/virtual/.
"""

import contextlib
import fcntl
import hashlib
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tools import BUILD, ROOT, libraries, toolchain

FIRMWARE = BUILD / "firmware"
VIRTUAL = BUILD / "virtual"
# Folders on a board that hold nothing but firmware, with the slots of an agent that has updated
# itself, and the NVS key that says which of them runs.
OURS = ("/flyve/", "/flyve.a/", "/flyve.b/")
UPDATE = ("flyve", "update")
_LOCK_WAIT = 120
_COMPILE_WAIT = 60


class BuildError(Exception):
    """A source does not compile; one line for each."""


@dataclass(frozen=True)
class Step:
    """One output file: a source compiled at a level, or copied when the level is None."""

    source: Path
    target: str
    name: str = ""  # embedded in the .mpy, shown in tracebacks
    level: int | None = None


def build(arch: str | None = None) -> Path:
    """Brings a compiled tree up to date and returns its folder.

    Without `arch` that is build/firmware, with native code (if there is any) for the
    interpreter of this machine, and build/virtual beside it; with one ("xtensawin",
    "rv32imc") it is build/<arch>. Safe to call from several processes at once.
    Raises BuildError, libraries.LibraryError or toolchain.ToolchainError, each of one line.
    """
    native = toolchain.check()
    BUILD.mkdir(exist_ok=True)
    with _lock(BUILD / ".lock"):
        libraries.fetch()
        if arch:
            _make(firmware_steps(), BUILD / arch, arch)
            return BUILD / arch
        _make(firmware_steps(), FIRMWARE, native)
        _make(virtual_steps(), VIRTUAL, native)
    return FIRMWARE


def firmware_steps() -> list[Step]:
    """What a board's flash holds: our files and both libraries."""
    steps = []
    for source in sorted((ROOT / "firmware").rglob("*.py")):
        name = source.relative_to(ROOT / "firmware").as_posix()
        if "/" in name:
            steps.append(Step(source, name.removesuffix(".py") + ".mpy", name, 3))
        else:
            steps.append(Step(source, name))
    for library in libraries.PINNED:
        path = library.installed
        steps.append(Step(library.source, f"lib/{path}.mpy", f"{path}.py", 0))
    return steps


def virtual_steps() -> list[Step]:
    """The modules that make the unix port an ESP32."""
    return [
        Step(source, f"{source.stem}.mpy", f"virtual/{source.name}", 0)
        for source in sorted((ROOT / "boards" / "virtual").glob("*.py"))
    ]


def compile_file(source: Path, target: Path, name: str, level: int, arch: str = "") -> None:
    """Compiles one source; `name` is what tracebacks show. Raises BuildError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    argv = [toolchain.mpy_cross(), f"-O{level}", "-s", name, "-o", target]
    argv += [f"-march={arch}"] if arch else []
    argv.append(source)
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=_COMPILE_WAIT)
    if done.returncode:
        target.unlink(missing_ok=True)
        raise BuildError(_diagnosis(source, done.stderr or done.stdout))


def _make(steps: list[Step], out: Path, arch: str) -> None:
    # What was made, and from what: outputs whose digest is unchanged are left alone.
    record = out.parent / f".{out.name}.json"
    try:
        made = json.loads(record.read_text())
    except (OSError, ValueError):
        made = {}
    fresh, errors = {}, []
    for step in steps:
        data = step.source.read_bytes()
        flags = f"{step.name} {step.level} {arch} {toolchain.compiler_version()}"
        digest = hashlib.sha256(flags.encode() + data).hexdigest()
        target = out / step.target
        try:
            if made.get(step.target) != digest or not target.exists():
                _run(step, target, arch, data)
            fresh[step.target] = digest
        except BuildError as error:
            errors.append(str(error))
    _remove_stale(out, fresh)
    libraries.write(record, json.dumps(fresh, indent=1).encode())
    if errors:
        raise BuildError("\n".join(errors))


def _run(step: Step, target: Path, arch: str, data: bytes) -> None:
    if step.level is None:
        libraries.write(target, data)
        return
    part = target.with_name(target.name + ".part")
    compile_file(step.source, part, step.name, step.level, arch)
    part.replace(target)


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
    deadline = time.monotonic() + _LOCK_WAIT
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise BuildError(f"another build has held {path} for {_LOCK_WAIT} s") from None
                time.sleep(0.05)  # flock has no timeout of its own
        yield


def main() -> None:
    """`python -m tools.build`: builds the tree for this machine's interpreter."""
    try:
        out = build()
    except (BuildError, libraries.LibraryError, toolchain.ToolchainError, OSError) as error:
        sys.exit(f"error: {error}")
    count = sum(path.is_file() for path in out.rglob("*"))
    print(f"{out.relative_to(ROOT)}: {count} files")


if __name__ == "__main__":
    main()
