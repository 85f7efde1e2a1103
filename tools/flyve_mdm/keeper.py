"""What must not outlive this process, even when it is killed: child processes and folders.

A second process, `python keeper.py`, holds one end of a pipe and a list. When the other end
closes, because the first one has ended in whatever way, it kills and removes what is still on the
list. It sits in a session of its own and takes no notice of signals, so that what ends the first
process does not end it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

_TRIES = 50  # to remove a folder into which a process that was just killed may still write
# The program starts only after it is on the list: should this process end before, so does it.
_STUB = 'read -r go && exec "$@" </dev/null'

_lock = threading.Lock()
_pipe: int | None = None
_owner = 0


def _tell(line: str) -> None:
    global _pipe, _owner
    data = os.fsencode(line) + b"\0"
    with _lock:
        if _pipe is not None and _owner == os.getpid():
            with contextlib.suppress(BrokenPipeError):
                os.write(_pipe, data)
                return
        _pipe, _owner = _start(), os.getpid()
        os.write(_pipe, data)


def _start() -> int:
    theirs, ours = os.pipe()
    try:
        subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        ).returncode = 0  # nobody waits for it
    finally:
        os.close(theirs)
    return ours


def keep(pid: int) -> None:
    """This child is to be killed when this process ends."""
    _tell(f"+{pid}")


def forget(pid: int) -> None:
    """This child has ended."""
    _tell(f"-{pid}")


def start(argv: Sequence[str], **how) -> subprocess.Popen:
    """Starts a program that will not outlive this process; call forget() after its end."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", _STUB, "sh", *argv],
        stdin=subprocess.PIPE,
        start_new_session=True,  # a terminal's signals are this process's business
        **how,
    )
    keep(process.pid)
    with contextlib.suppress(BrokenPipeError):
        os.write(process.stdin.fileno(), b"\n")
    process.stdin.close()
    return process


def make_folder(prefix: str) -> Path:
    """A new temporary folder; remove_folder() removes it, or the end of this process."""
    path = Path(tempfile.gettempdir()).absolute() / f"{prefix}{secrets.token_hex(6)}"
    _tell(f"+{path}")
    path.mkdir(mode=0o700)
    return path


def remove_folder(path: Path) -> None:
    """Removes a folder that make_folder() made."""
    shutil.rmtree(path, ignore_errors=True)
    _tell(f"-{path}")


def keep_link(path: Path, lead: str) -> None:
    """A symbolic link, which may be yet to be made, is to be removed when this process ends, if
    it leads there: another program may have taken its name."""
    _tell(f"@{lead}\n{path.absolute()}")


def forget_link(path: Path) -> None:
    """This link is gone."""
    _tell(f"-{path.absolute()}")


@contextlib.contextmanager
def folder(prefix: str) -> Iterator[Path]:
    """A temporary folder for the time of a `with`."""
    path = make_folder(prefix)
    try:
        yield path
    finally:
        remove_folder(path)


def _watch() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    kept, rest = {}, b""
    while data := os.read(0, 65536):
        *lines, rest = (rest + data).split(b"\0")
        for line in lines:
            name = line[1:]
            if line[:1] == b"+":
                kept[name] = None
            elif line[:1] == b"@":
                lead, _, name = name.partition(b"\n")
                kept[name] = lead
            else:
                kept.pop(name, None)
    folders = [name for name in kept if name.startswith(b"/")]
    for pid in (int(name) for name in kept if not name.startswith(b"/")):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    for _ in range(_TRIES):
        folders = [name for name in folders if os.path.lexists(name)]
        for name in folders:
            _remove(name, kept[name])
        if not folders:
            break
        time.sleep(0.02)


def _remove(name: bytes, lead: bytes | None) -> None:
    if lead is None:
        shutil.rmtree(name, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        if os.readlink(name) == lead:
            os.unlink(name)


if __name__ == "__main__":
    _watch()
