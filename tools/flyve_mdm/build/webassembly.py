"""MicroPython's WebAssembly build, whose words have 32 bits as a board's. It runs under Node and
is for figures only."""

import re
from pathlib import Path

from flyve_mdm.build import npm

# It loads .mpy v6.3, as the boards do.
PINNED = npm.Package(
    "@micropython/micropython-webassembly-pyscript",
    "1.27.0",
    "sha512-DnXx4EqxgkeaFESrS3uKrL7mLMk4mRTd0mMzaOd3HUSiZUOAE7t11uLnjf3ftF87N2xm4knHnWEKcVK4IYIUDA==",
    ("micropython.mjs", "micropython.wasm"),
)


def fetch() -> Path:
    """The folder with its files, verified. Raises npm.NpmError."""
    return npm.fetch(PINNED)


def run(script: Path, text: str, timeout: float) -> str:
    """Runs a script with Node, with the text as its input; returns what it prints. Raises
    npm.NpmError, also when there is no Node."""
    done = npm.run([npm.program("node"), str(script)], timeout, input=text)
    if done.returncode:
        # Before the message Node quotes the line, which may be a whole minified module.
        said = [line for line in done.stderr.splitlines() if re.match(r"\w*Error", line)]
        raise npm.NpmError(f"{script.name}: {(said or ['it says nothing'])[0][:200]}")
    return done.stdout
