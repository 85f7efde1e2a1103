"""Many boards at a time: each is provisioned from its row of a table, and waited for."""

import ast
import contextlib
import functools
import queue
import sys
import termios
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from flyve_mdm.board import labels, results, setup_network
from flyve_mdm.board import provision as provisioning
from flyve_mdm.board.boards_table import Row
from flyve_mdm.board.folder import BoardError, check_mac
from flyve_mdm.board.image import ImageError
from flyve_mdm.board.results import DONE, FAILED, ONLINE, Result
from flyve_mdm.board.target import Target, open_target, switched_on
from flyve_mdm.board.witness import Witness
from flyve_mdm.build.firmware import BuildError

_EXPECTED = (BoardError, ImageError, BuildError, ValueError, OSError, termios.error)
_PAUSE = 0.5  # seconds between two looks
_parsing = threading.RLock()


class Batch:
    """One run over a table.

    deploy: put the firmware on the boards, too. wait: seconds for which each is waited for until
    `online(serial)` tells when the backend heard of it ("": it is offline); None: not at all.
    label_file: the file for what stands on the boards' labels. told(result) is called when there
    is news of a board, moved(result, what, done, total) while something goes on there, stopping()
    at a Ctrl-C.
    """

    def __init__(
        self,
        path: Path,
        waiting: Sequence[Result],
        label_file: Path,
        deploy: bool = False,
        wait: float | None = None,
        online: Callable[[str], str] | None = None,
        told: Callable[[Result], None] = lambda _: None,
        moved: Callable[..., None] = lambda *_: None,
        stopping: Callable[[], None] = lambda: None,
    ):
        self._path, self._labels, self._all = path, label_file, list(waiting)
        self._deploy, self._wait, self._online = deploy, wait, online
        self._told, self._moved, self._stopping = told, moved, stopping
        self._unsaved: OSError | None = None
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._queue: queue.SimpleQueue[Result] = queue.SimpleQueue()

    def run(self, jobs: int) -> None:
        """Goes through all rows that are not done, `jobs` at a time.

        KeyboardInterrupt is handed on once what is being written is whole; at a second one, at
        once. The file of results is as new as the boards are, always; OSError when it cannot be
        written any more, which ends the run, too.
        """
        _parse_one_at_a_time()
        final = (ONLINE,) if self._wait is not None else (ONLINE, DONE)
        for result in self._all:
            if not result.row.fault and (result.state not in final or self._bare(result)):
                self._queue.put(result)
        workers = [threading.Thread(target=self._work, daemon=True) for _ in range(jobs)]
        try:
            for worker in workers:
                worker.start()
            self._join(workers)
        except KeyboardInterrupt:
            self._stop.set()
            self._stopping()
            self._join(workers)
            raise
        finally:
            self._save()
        if self._unsaved:
            raise self._unsaved

    def _bare(self, result: Result) -> bool:
        """Whether the firmware is still to be put on the board."""
        return self._deploy and not result.deployed

    def _join(self, workers):
        while any(worker.is_alive() for worker in workers):
            time.sleep(0.05)  # a join() would keep Ctrl-C waiting

    def _work(self):
        while not self._stop.is_set():
            try:
                result = self._queue.get_nowait()
            except queue.Empty:
                return
            begun = time.monotonic()
            try:
                self._treat(result)
            except _EXPECTED as error:
                result.state, result.reason = FAILED, str(error)
            except Exception as error:  # this board's trouble is not the others'
                result.state, result.reason = FAILED, f"unforeseen: {error!r}"
            result.seconds = time.monotonic() - begun
            self._told(result)
            try:
                self._save()
            except OSError as error:
                self._unsaved = error
                self._stop.set()

    def _treat(self, result: Result) -> None:
        row, bare, before = result.row, self._bare(result), ""
        if not bare and self._online and result.serial and self._online(result.serial):
            result.state, result.reason = ONLINE, ""  # it came after we had ceased to wait
            return
        if bare or result.state != DONE:
            self._moved(result, "connecting", 0, None)
            with open_target(row.port) as board:
                result.mac = _identify(board, row)
                if self._deploy:
                    tree = board.tree()
                    board.deploy(tree, lambda *at: self._moved(result, *at))
                    result.deployed = True
                provisioning.apply(row.plan, board)
                result.serial = provisioning.serial_number(board, result.mac)
                self._label(result, board)
                if self._online:
                    before = self._online(result.serial)  # of the life that ends now
            result.state, result.reason = DONE, ""
            self._save()
        if self._wait is not None:
            self._moved(result, "waiting for the backend", 0, None)
            self._await(result, before)

    def _label(self, result: Result, board: Target) -> None:
        """Notes what stands on the board's label, the passphrase of its set-up network for one."""
        psk, plan = "", result.row.plan
        if plan.settings.get("setup") != "off":
            setup_network.ensure(board)
            psk = (board.entry(*setup_network.KEY) or b"").decode()
        link = (plan.files.get(provisioning.DEEPLINK) or b"").decode()
        made = labels.Label(result.mac, result.row.name, result.serial, psk, link)
        with self._lock:
            labels.add(self._labels, [made], [one.mac for one in self._all])

    def _await(self, result: Result, before: str) -> None:
        """Waits until the backend sees the board, and not only as it did before; or until the
        board says why that will not be."""
        with contextlib.ExitStack() as stack:
            witness = stack.enter_context(Witness(switched_on(result.row.port, stack)))
            deadline = time.monotonic() + self._wait
            while self._online(result.serial) in ("", before):
                if self._stop.is_set():
                    result.reason = "not waited for to the end"
                    return
                if witness.verdict or time.monotonic() > deadline:
                    result.state = FAILED
                    result.reason = witness.why() or f"not online after {self._wait:.0f} s"
                    return
                self._stop.wait(_PAUSE)
        result.state, result.reason = ONLINE, ""

    def _save(self) -> None:
        with self._lock:
            results.write(self._path, self._all)


def _parse_one_at_a_time() -> None:
    """CPython 3.11 before 3.11.8 counts the depth of what it parses for all threads together: one
    whose parsing another thread interrupts would raise SystemError (gh-106905)."""
    if not (3, 11) <= sys.version_info < (3, 11, 8) or hasattr(ast.parse, "__wrapped__"):
        return
    parse = ast.parse  # mpremote calls it, too, through literal_eval()

    @functools.wraps(parse)
    def alone(*args, **named):
        with _parsing:
            return parse(*args, **named)

    ast.parse = alone


def _identify(board: Target, row: Row) -> str:
    """The MAC of the board, which must be the one that the row is for. Raises BoardError."""
    mac = check_mac(board.mac)
    if row.chip and row.chip != board.chip:
        raise BoardError(
            f"wrong chip: {row.port} is an {board.chip}, the row is for an {row.chip}"
        )
    if row.mac and row.mac != mac:
        raise BoardError(f"wrong board: {row.port} has the MAC {mac}, the row is for {row.mac}")
    return mac
