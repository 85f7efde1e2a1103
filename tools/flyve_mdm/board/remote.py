"""A board on a serial port: the target that mpremote's transport reaches."""

import contextlib
import errno
import hashlib
import json
import os
import socket
import struct
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from mpremote import transport_serial
from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport
from serial import SerialException

from flyve_mdm.board import fit, ports
from flyve_mdm.board.folder import BoardError
from flyve_mdm.build import firmware
from flyve_mdm.patience import stretched
from flyve_mdm.text import printable

_ANSWER = 10  # seconds
_PATIENCE = 3  # times that: what a board that is just starting may take to come to its prompt
# Shares of it: a Ctrl-C that comes while the board starts is lost, and the next one is soon
# heard.
_TRIES = (0.1, 0.2, 0.5)
_SILENCE = 5  # seconds between two words on that
_CHUNK = 1024
_GONE = (errno.EIO, errno.ENXIO, errno.EBADF)
# A file comes under this name, in its own folder: littlefs lost a folder when the power failed
# while a file was moved into it from another one and it moved to other blocks itself.
_PART = "deploy.part"
_ROOTS = ("/boot.py", "/main.py", "/lib", *(path.rstrip("/") for path in firmware.OURS))
_ARCHES = ("xtensawin", "rv32imc")

_HASHES = """
import os, hashlib, binascii
def _look(path, buf):
    if os.stat(path)[0] & 0x4000:
        for entry in os.ilistdir(path):
            _look(path + "/" + entry[0], buf)
        return
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        while True:
            n = f.readinto(buf)
            if not n:
                break
            digest.update(buf[:n])
    print(binascii.hexlify(digest.digest()).decode(), path)
for _path in %r:
    try:
        _look(_path, memoryview(bytearray(512)))
    except OSError:
        pass
"""
# boot.py counts each hard reset as a crash of the agent; this one is none. The pause lets this
# end have the whole answer.
_RESTART = """
import esp32, machine, time
n = esp32.NVS("flyve")
try:
    n.set_i32("crashes", n.get_i32("crashes") - 1)
    n.commit()
except OSError:
    pass
time.sleep_ms(100)
machine.reset()
"""
_PRUNE = """
import os
for path in %r:
    try:
        os.rmdir(path)
    except OSError:
        pass  # there is still something in it
"""
_ENTRY = """
import binascii, esp32
b = bytearray(%d)
try:
    print(binascii.hexlify(b[: esp32.NVS(%r).get_blob(%r, b)]).decode())
except OSError:
    print("-")
"""
_BLOB = 512  # bytes of one that is asked for
# What stands in the head of the application that runs.
_CHIP = """
import esp32
b = bytearray(32)
try:
    esp32.Partition(esp32.Partition.RUNNING).readblocks(0, b)
except (OSError, KeyError):
    pass
print(b[12] | b[13] << 8 if b[0] == 0xE9 else -1)
"""
_CHIPS = {"0": "ESP32", "5": "ESP32-C3", "9": "ESP32-S3"}
_MAC = "import binascii, machine\nprint(binascii.hexlify(machine.unique_id()).decode())"
_FREE = "import os\ns = os.statvfs('/')\nprint(s[0] * s[3])"


# It prints what it did not understand, from all threads that have a board.
transport_serial.print = lambda *_, **__: None


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class _Transport(SerialTransport):
    """mpremote's, which has deadlines of its own."""

    def __init__(self, port: str):
        super().__init__(port)
        if port.startswith("socket://"):
            # pyserial leaves that out there: small writes would wait for each other.
            self.serial._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read_until(self, *what, timeout=_ANSWER, timeout_overall=None, **how):
        overall = timeout_overall and stretched(timeout_overall)
        seconds = timeout and stretched(timeout)
        return super().read_until(*what, timeout=seconds, timeout_overall=overall, **how)


class SerialBoard:
    """A board at its prompt, from the first use until close(), which restarts it (or leaves it
    there, when `restart` is false).

    Raises BoardError when there is no MicroPython behind the port, or when it goes away.
    """

    def __init__(
        self,
        port: str,
        answer: float = _ANSWER,
        restart: bool = True,
        tell: Callable[[str], None] = _say,
    ):
        self.port, self._answer, self._restart, self._tell = port, answer, restart, tell
        self._transport, self._folders = None, {"/"}

    def __enter__(self) -> "SerialBoard":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Lets the board start anew, with whatever is on it now, and frees the port."""
        if not self._transport:
            return
        transport, self._transport = self._transport, None
        if self._restart:
            with contextlib.suppress(TransportError, OSError, struct.error):
                transport.exec_raw_no_follow(_RESTART)
        with contextlib.suppress(OSError):
            transport.close()

    def implementation(self) -> fit.Implementation:
        """What MicroPython this is."""
        return fit.Implementation(*json.loads(self.run(fit.QUERY)))

    def tree(self) -> Path:
        """The compiled firmware for this board. Raises firmware.BuildError and its like."""
        arch = self.implementation().arch
        return firmware.build(arch if arch in _ARCHES else None)

    def deploy(self, tree: Path, progress: Callable[[str, int, int], None] | None = None) -> int:
        """Puts a tree of files on the flash; returns how many were not there yet.

        `progress` is called with a path, the bytes sent and the bytes to send in all. Power may
        fail at any moment: each file is old or new, and a repetition ends the work.
        """
        found = {"/" + p.relative_to(tree).as_posix(): p for p in tree.rglob("*") if p.is_file()}
        if not found:
            raise BoardError(f"{tree} holds no firmware: run `make setup`")
        refusals = fit.refusals(self.implementation(), tree)
        if refusals:
            raise BoardError(f"{self.port}: {'; '.join(refusals)}")
        for folder in {PurePosixPath(path).parent for path in found}:
            with contextlib.suppress(FileNotFoundError):
                self._remove(str(folder / _PART))  # of a deployment that was cut
        present = self.hashes(_ROOTS)
        wanted = {
            path: source.read_bytes()
            for path, source in found.items()
            if present.get(path) != hashlib.sha256(source.read_bytes()).hexdigest()
        }
        total, sent = sum(map(len, wanted.values())), 0
        self._check_space(total)
        # The package last: the one of an older agent finds its modules beside the archive.
        for path, data in sorted(wanted.items(), key=lambda item: ("__init__" in item[0], item)):
            before = sent

            def advance(done, _, path=path, before=before):
                if progress:
                    progress(path, before + done, total)

            self._put(path, data, advance)
            sent += len(data)
        # Only now: until here the slot that ran before is whole.
        self._nvs({firmware.UPDATE: None})
        gone = [p for p in present if p.startswith(firmware.OURS) and p not in found]
        for path in gone:
            self._remove(path)
        self.run(_PRUNE % sorted(firmware.folders(gone), key=len, reverse=True))
        return len(wanted)

    def read(self, path: str) -> bytes:
        """A file's content. Raises FileNotFoundError."""
        with self._lost():
            return bytes(self._prompt().fs_readfile(path, chunk_size=_CHUNK))

    @property
    def mac(self) -> str:
        """Its MAC address, 12 hex digits."""
        return self.run(_MAC).strip()

    @property
    def chip(self) -> str:
        """The chip that its application is for, as esptool calls it, or "unknown chip"."""
        return _CHIPS.get(self.run(_CHIP).strip(), "unknown chip")

    def entry(self, namespace: str, key: str) -> bytes | None:
        """A blob that NVS holds, or None; one of at most 512 bytes."""
        answer = self.run(_ENTRY % (_BLOB, namespace, key)).strip()
        return None if answer == "-" else bytes.fromhex(answer)

    def change(self, files: Mapping | None = None, entries: Mapping | None = None) -> None:
        """Writes files by path and NVS entries by (namespace, key); None removes one.

        The entries first, then the files in their order.
        """
        self._nvs(entries or {})
        for path, data in (files or {}).items():
            if data is None:
                with contextlib.suppress(FileNotFoundError):
                    self._remove(path)
            else:
                self._put(path, data)

    def run(self, code: str) -> str:
        """Runs code on the board and returns what it prints."""
        with self._lost():
            transport = self._prompt()
            said, error = transport.exec_raw(code, timeout=self._answer * _PATIENCE)
            if error:
                raise TransportExecError(said, error.decode(errors="replace"))
            return said.decode(errors="replace")

    def hashes(self, roots: Sequence[str]) -> dict[str, str]:
        """The SHA-256 of each file that is one of these, or below one, by its path."""
        lines = self.run(_HASHES % (tuple(roots),)).splitlines()
        return {path: digest for digest, _, path in (line.partition(" ") for line in lines)}

    def _prompt(self) -> SerialTransport:
        if not self._transport:
            self._transport = self._connect()
        return self._transport

    def _connect(self) -> SerialTransport:
        seconds = stretched(self._answer * _PATIENCE)
        deadline, seen, told = time.monotonic() + seconds, False, None
        while True:
            try:
                transport = _Transport(self.port)
                seen = True
            except (TransportError, OSError, termios.error):
                # Native USB goes away while the chip resets.
                if not seen or time.monotonic() > deadline:
                    ports.check_free(self.port)
                    raise BoardError(ports.why_silent(self.port)) from None
                time.sleep(0.2)
                continue
            transport.serial.timeout = stretched(self._answer)
            try:
                _interrupt(transport, self._answer)
                # That it answers, too: the first command of all may come too early.
                transport.exec_raw("", timeout=self._answer)
                return transport
            except (TransportError, OSError, struct.error, termios.error):
                transport.close()
            left = deadline - time.monotonic()
            if left <= 0:
                raise BoardError(
                    f"{self.port}: no MicroPython answers, for {seconds:.0f} s. Is it the right "
                    "port? `flyve flash` puts MicroPython on a board"
                )
            if told is None or told - left > stretched(_SILENCE):
                told = left
                self._tell(
                    f"{self.port}: no prompt yet. The board may be starting: "
                    f"trying for another {left:.0f} s"
                )
            time.sleep(0.2)  # what ends each connection at once is not to be pressed

    def _check_space(self, needed: int) -> None:
        free = int(self.run(_FREE))
        # littlefs needs some blocks for itself, and a file is there twice while it is replaced.
        if needed + 16384 > free:
            raise BoardError(
                f"{self.port}: {needed} bytes do not fit, {free} are free: remove files, "
                "or flash an image with a bigger filesystem"
            )

    def _put(self, path: str, data: bytes, advance: Callable | None = None) -> None:
        with self._lost():
            transport = self._prompt()
            folder = PurePosixPath(path).parent
            self._make(folder)
            part = str(folder / _PART)
            transport.fs_writefile(part, data, _CHUNK, progress_callback=advance)
            transport.exec(f"import os\nos.rename({part!r}, {path!r})")

    def _make(self, folder: PurePosixPath) -> None:
        if str(folder) not in self._folders:
            self._make(folder.parent)
            with contextlib.suppress(FileExistsError):
                self._transport.fs_mkdir(str(folder))
            self._folders.add(str(folder))

    def _remove(self, path: str) -> None:
        with self._lost():
            self._prompt().fs_rmfile(path)

    def _nvs(self, entries: Mapping) -> None:
        for (namespace, key), value in entries.items():
            if value is None:
                change = f"try:\n n.erase_key({key!r})\nexcept OSError:\n pass"
            else:
                kind = "i32" if isinstance(value, int) else "blob"
                change = f"n.set_{kind}({key!r}, {value!r})"
            self.run(f"import esp32\nn = esp32.NVS({namespace!r})\n{change}\nn.commit()")

    @contextlib.contextmanager
    def _lost(self):
        try:
            yield
        except TransportExecError as error:
            # The last line only: those before it may quote what was sent.
            last = printable(error.error_output.strip().rpartition("\n")[2])
            raise BoardError(f"{self.port}: the board says {last}") from None
        except (TransportError, SerialException, struct.error, ValueError) as error:
            self._transport = None
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise BoardError(f"{self.port}: the board went away ({reason})") from None
        except FileNotFoundError:
            raise
        except OSError as error:
            if error.errno not in _GONE:
                where, why = error.args[-1], os.strerror(error.errno)
                raise BoardError(f"{self.port}: {where}: {why}") from None
            self._transport = None
            raise BoardError(f"{self.port}: the board went away ({error.strerror})") from None


def _interrupt(transport: SerialTransport, answer: float) -> None:
    for share in _TRIES:
        try:
            transport.enter_raw_repl(soft_reset=True, timeout_overall=answer * share)
            return
        except TransportError:
            if share == _TRIES[-1]:
                raise
