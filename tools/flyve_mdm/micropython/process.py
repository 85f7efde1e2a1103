"""MicroPython processes: how a file is run, and how functions are called.

`UnixPort` is one of the ways to run a test file; another (a board through mpremote) needs
only the same `run`.
"""

import ast
import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from flyve_mdm import keeper
from flyve_mdm.build import firmware, probes, toolchain
from flyve_mdm.micropython.child import Child, Hang, Stopped
from flyve_mdm.micropython.runner import pack, unpack
from flyve_mdm.patience import stretched

MARK = b"\x1e"
RUNNER = Path(__file__).with_name("runner.py")


class Workshop:
    """A temporary folder with compiled scripts in it and an empty one to run in."""

    def __init__(self):
        self.root = keeper.make_folder("flyve-")
        self.modules = self.root / "modules"
        self.cwd = self.root / "cwd"
        self.cwd.mkdir()
        self.add(RUNNER)

    def add(self, source: Path) -> None:
        """Compiles a script, asserts and all; it may reach into the firmware's private parts.
        Raises flyve_mdm.build.firmware.BuildError."""
        step = firmware.Step(source, f"{source.stem}.mpy", _shown(source), 0, firmware.follow)
        firmware.compile_step(step, self.modules / step.target, toolchain.check())

    def argv(self, statement: str, heap: str | None) -> list:
        loose = firmware.modules(firmware.TREE)
        path = [loose, loose / "lib", self.modules, ".frozen", firmware.VIRTUAL]
        # boards/virtual has a `time` too, which works only on an assembled board.
        setup = (
            f"import sys, utime; sys.modules['time'] = utime; "
            f"sys.path[:] = {[str(p) for p in path]!r}; import runner; "
        )
        setup += "import probes; " if probes.wanted() else ""
        options = ["-X", f"heapsize={heap}"] if heap else []
        return [toolchain.micropython(), *options, "-c", setup + statement]

    def close(self) -> None:
        keeper.remove_folder(self.root)


class UnixPort:
    """Runs test files on the unix port, each in a process and a folder of its own."""

    def __init__(self, heap: str | None = None, deadline: float = 60):
        self.heap = heap
        self._seconds = stretched(deadline)

    def run(self, source: Path, functions: Sequence[str]) -> Iterator[bytes]:
        """Runs these functions of the file and gives the lines that come back.

        Raises Hang at the deadline, after the lines that say where it hangs, and Stopped
        (with the reason) when the process is gone. The generator's close() ends the process.
        """
        workshop, child = Workshop(), None
        try:
            for script in (source, *_shared(source)):
                workshop.add(script)
            statement = f"runner.run({source.stem!r}, {list(functions)!r})"
            child = self.start(workshop, statement)
            yield from self._lines(child)
        finally:
            if child:
                child.close()
            workshop.close()

    def start(self, workshop: Workshop, statement: str) -> Child:
        """A process that executes the statement, with what the workshop has compiled."""
        return Child(workshop.argv(statement, self.heap), workshop.cwd)

    def _lines(self, child: Child) -> Iterator[bytes]:
        deadline = time.monotonic() + self._seconds
        try:
            while line := child.readline(deadline):
                yield line
        except Hang:
            yield from child.last_words()
            raise Hang(f"no result within {self._seconds:g} s") from None
        raise Stopped(f"MicroPython {child.ending()}")


class RemoteError(Exception):
    """A function called in MicroPython raised; `name` is its exception's class."""

    def __init__(self, name: str, message: str, output: str):
        super().__init__(f"{name}: {message}\n{output}")
        self.name = name
        self.message = message


class Interpreter:
    """A MicroPython process whose functions can be called; started, and after a crash or a
    hang started again, by the next call.

    `scripts` is the folder whose .py files are importable there, beside the firmware; `port`
    is the kind of process.
    """

    def __init__(
        self,
        scripts: Path | None = None,
        heap: str | None = None,
        deadline: float = 20,
        port: type[UnixPort] = UnixPort,
    ):
        self.deadline = deadline
        self.output = ""  # what the last call printed
        self._scripts = scripts
        self._port = port(heap)
        self._workshop = None
        self._child = None

    def call(self, module: str, function: str, *args, deadline: float | None = None):
        """Calls module.function(*args) in MicroPython and returns its result.

        Arguments and result are what JSON has, and bytes. Raises RemoteError when it
        raises, Hang at the deadline and Stopped when the process ends; after these two the
        next call finds a new process.
        """
        ends = time.monotonic() + stretched(deadline or self.deadline)
        blobs: list[bytes] = []
        request = {"module": module, "function": function, "args": pack(args, blobs)}
        request["blobs"] = [len(blob) for blob in blobs]
        child = self._started()
        try:
            # MicroPython's json does not join escaped surrogates: no escapes.
            header = json.dumps(request, ensure_ascii=False).encode("utf-8", "surrogatepass")
            child.write(header + b"\n" + b"".join(blobs), ends)
            record, output = self._record(child, ends)
            blobs = [child.read(length, ends) for length in record["blobs"]]
        except Hang:
            where = b"".join(child.last_words()).decode("utf-8", "replace")
            self._end()
            raise Hang(f"{module}.{function} gave no result in time\n{where}") from None
        except Stopped as stopped:
            self._end()
            raise Stopped(f"in {module}.{function} MicroPython {stopped}\n{self.output}") from None
        if "error" in record:
            raise RemoteError(record["error"], record["message"], output)
        return unpack(record["result"], blobs)

    def restart(self) -> None:
        """Ends the process; the next call starts a new one with empty memory."""
        self._end()

    def close(self) -> None:
        self._end()
        if self._workshop:
            self._workshop.close()
            self._workshop = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def pid(self) -> int:
        """The process's id; it is started when there is none."""
        return self._started().pid

    def _started(self) -> Child:
        if not self._workshop:
            self._workshop = Workshop()
            for script in self._scripts.glob("*.py") if self._scripts else ():
                self._workshop.add(script)
        if not self._child:
            self._child = self._port.start(self._workshop, "runner.serve()")
        return self._child

    def _record(self, child: Child, ends: float) -> tuple[dict, str]:
        printed = []
        while line := child.readline(ends):
            before, _, record = line.partition(MARK)
            printed.append(before)
            self.output = b"".join(printed).decode("utf-8", "replace")
            if not record.startswith(b"{"):
                continue
            try:
                return json.loads(record), self.output
            except ValueError:
                self._end()
                problem = f"the result is not JSON or bytes: {record.decode(errors='replace')}"
                raise RemoteError("TypeError", problem, self.output) from None
        raise Stopped(child.ending())

    def _end(self) -> None:
        if self._child:
            self._child.close()
            self._child = None


def _shared(source: Path) -> Iterator[Path]:
    """The scripts in inside/, beside a test file, that it imports."""
    wanted = set()
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            wanted |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            wanted.add(node.module)
    for path in sorted((source.parent / "inside").glob("*.py")):
        if path.stem in wanted:
            yield path


def _shown(source: Path) -> str:
    with contextlib.suppress(ValueError):
        source = source.relative_to(Path.cwd())
    return source.as_posix()
