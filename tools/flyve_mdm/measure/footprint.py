"""What a whole board needs: RAM in each phase of its life, and flash and NVS operations."""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlencode, urlsplit

from flyve_mdm.board import invited
from flyve_mdm.board.run import Run
from flyve_mdm.board.supervisor import Counters
from flyve_mdm.measure.benches.rig import Rig

HEAP = 256 * 1024  # more than any phase needs, so that none is disturbed by a want of memory
FILE = 1_000_000
_SESSION = {"full_session_size": 100_000, "full_session_seed": 1, "default_profile": 4}
_WAIT = 60
_DAY = 86_460


@dataclass(frozen=True)
class Phase:
    """What a phase held at its highest moment: heap bytes, and the firmware's modules as
    (names below /flyve and /lib) sets that were in memory together."""

    heap: int
    modules: frozenset[frozenset[str]]


def memory(tls: bool) -> dict[str, Phase]:
    """The phases imported, enrolling, idle and downloading of one life: an enrollment with a
    full session of 100 KB, then a file of 1 MB. Bytes of a 64-bit heap."""
    with Rig(tls, **_SESSION) as rig:
        board = rig.board(beside="heap")
        with board.start(heap=HEAP) as run:
            run.wait_log(r"^heap: idle ", _WAIT)
            run.wait_log(r"^modules: idle ", _WAIT)
            _download(rig, FILE)
            return dict(_phases(run.log))


def set_up() -> dict[str, Phase]:
    """The phases open (of the set-up page, while nothing is asked of it) and setup: it is looked
    at, sent with an error, and sent with an invitation that was tapped, until the board has
    joined. Bytes of a 64-bit heap."""
    with Rig() as rig:
        board = rig.blank(beside="heap")
        with board.start(heap=HEAP) as run:
            run.wait_log(r"^setup: page ", _WAIT)
            _send(run, link="no link")
            link = urlsplit(rig.backend.invite("user@example.org"))
            _ask(run, "GET", f"{link.path}?{link.query}")
            _send(run, psk=invited.PSK)
            run.wait_log("setup: joined", _WAIT)
            return dict(_phases(run.log))


def _ask(run: Run, method: str, path: str, body: str | None = None) -> str:
    with contextlib.closing(HTTPConnection("127.0.0.1", run.setup[0], timeout=_WAIT)) as at:
        at.request(method, path, body, {"Host": "192.168.4.1"})
        return at.getresponse().read().decode()


def _send(run: Run, **fields: str) -> None:
    """Looks at the page, fills it in and sends it."""
    page = _ask(run, "GET", "/")
    form = re.search(r'name="?form"? value="(\w+)"', page)
    if form is None:
        raise RuntimeError(f"the set-up page has no form: {page[:200]}")
    _ask(run, "POST", "/", urlencode({"form": form[1], "ssid": invited.SSID, **fields}))


def _phases(log: list[str]) -> Iterator[tuple[str, Phase]]:
    for name in ("imported", "open", "setup", "enrolling", "idle", "busy", "downloading"):
        found = [re.match(rf"heap: {name} (\d+)", line) for line in log]
        if not any(found):
            continue
        sets = {
            frozenset(_module(word) for word in line.split()[2:] if _module(word))
            for line in log
            if line.startswith(f"modules: {name} ")
        }
        yield name, Phase(max(int(m[1]) for m in found if m), frozenset(sets))


def _module(name: str) -> str:
    """The path of a module of ours, "" for one of the interpreter's."""
    if name in ("flyve", "flyve.jobs"):
        return name.replace(".", "/") + "/__init__"
    if name.startswith("flyve."):
        return name.replace(".", "/")
    return {"umqtt.simple": "lib/umqtt/simple", "urequests": "lib/urequests"}.get(name, "")


@dataclass(frozen=True)
class Wear:
    """Operations of flash and NVS: bytes programmed, programs and erases of the filesystem,
    writes of NVS."""

    programmed: int
    programs: int
    erases: int
    nvs: int


def wear() -> dict[str, Wear]:
    """Of an enrollment, of a download of 1 MB, and of a day without work (in minutes of our time:
    the board's clock runs ahead)."""
    found = {}
    with Rig(**_SESSION) as rig:
        board = rig.board()
        with board.start(heap=HEAP) as run:
            run.wait_log("link: online", _WAIT)
            rig.backend.wait_for(lambda: rig.backend.agents[0].online, _WAIT)
            found["enrollment"] = _since(Counters(), run)
            before = run.wear
            _download(rig, FILE)
            found["download"] = _since(before, run)
        rig.beside(board, "day")
        with board.start(heap=HEAP) as run:
            run.wait_log("^day: begins", _WAIT)
            before = run.wear
            rig.backend.options.ntp_offset = _DAY
            run.wait_log("^day: over", 2 * _WAIT)
            run.wait_log("clock: set to", _WAIT, _line(run, "^day: begins"))
            found["day"] = _since(before, run)
    return found


def _line(run: Run, pattern: str) -> int:
    return next(n for n, line in enumerate(run.log) if re.search(pattern, line))


def _since(before: Counters, run: Run) -> Wear:
    now = run.wear
    return Wear(
        now.programmed - before.programmed,
        now.programs - before.programs,
        now.erases - before.erases,
        now.nvs - before.nvs,
    )


def _download(rig: Rig, size: int) -> None:
    data = random.Random(size).randbytes(size)
    task = rig.backend.tasks.deploy_file(rig.backend.agents[0].id, data, name="bench.bin")
    status = rig.backend.tasks.wait_task(task, _WAIT)
    if status != "done":
        raise RuntimeError(f"the download ended as {status}")
