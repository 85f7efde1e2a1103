"""What a board is, and whether the agent can live on it."""

import calendar
import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flyve_mdm import VERSION
from flyve_mdm.board import fit, heap, setup_network
from flyve_mdm.board.remote import SerialBoard
from flyve_mdm.build import libraries, pure

OK, WARN, BAD = "ok", "warning", "bad"
_HEAP = 46_000  # what the agent has in use at its highest moment, on words of 32 bits
_TLS = 64 * 1024  # of ESP-IDF's heap, in one piece: two TLS connections
_FLASH = 128 * 1024  # free: the agent, its records, and a file to download
_YEAR = 2024
_SKEW = 300

# Runs at the prompt after a soft reset; boot.py has set the search path.
_QUERY = (
    heap.SCRIPT
    + """
import gc, json, machine, os, time
gc.collect()
heap_as_it_stands()
r = {"path": sys.path}
r["mac"] = machine.unique_id().hex(":")
r["mhz"] = machine.freq() // 1000000
r["cause"] = machine.reset_cause()
r["now"] = list(time.gmtime())
s = os.statvfs("/")
r["flash"] = [s[0] * s[3], s[0] * s[2]]
P = esp32.Partition
parts = P.find(P.TYPE_APP) + P.find(P.TYPE_DATA)
r["partitions"] = [list(p.info()) for p in parts]
r["running"] = P(P.RUNNING).info()[4]
r["filesystem"] = "none"
for p in parts:
    if p.info()[4] in ("vfs", "ffat"):
        b = bytearray(512)
        p.readblocks(1, b)
        k = b[8:16]  # one of the two superblocks may be half written
        p.readblocks(0, b)
        if b"littlefs" in (k, b[8:16]):
            r["filesystem"] = "littlefs"
        elif b[510:] == b"U\\xaa":
            r["filesystem"] = "FAT"
r["wins"] = {}
for m in %r:
    try:
        f = getattr(__import__(m, None, None, ("x",)), "__file__", m)
    except ImportError:
        continue
    except Exception:  # damaged, in the slot that runs
        f = sys.path[0] + "/" + m + "/__init__.mpy"
    try:
        os.stat("/" + f)
        r["wins"][m] = "/" + f.lstrip("/")
    except OSError:
        r["wins"][m] = ".frozen/" + f
r["nvs"] = []
n, b = esp32.NVS("flyve"), bytearray(4096)
for k in ("wifi", "rec.a", "rec.b", "setup_psk"):
    try:
        n.get_blob(k, b)
        r["nvs"].append(k)
    except OSError:
        pass
print(json.dumps(r))
"""
)
_VERSIONS = {library.installed.replace("/", "."): library.version for library in libraries.PINNED}
_MODULES = ("flyve", *_VERSIONS)
_CAUSES = {1: "power on", 2: "reset", 3: "watchdog", 4: "deep sleep", 5: "soft reset"}


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    about: str
    text: str
    level: str = OK


def examine(board: SerialBoard, tree: Path) -> Iterator[Finding]:
    """Finds out what the board is, beside the compiled firmware below `tree`."""
    made = board.implementation()
    yield Finding("board", made.machine or made.platform)
    yield Finding("MicroPython", f"{made.release}, .mpy version {made.mpy & 0xFF} {made.arch}")
    refusals = fit.refusals(made, tree)
    for refusal in refusals:
        yield Finding("fits", refusal, BAD)
    if refusals:
        return
    yield Finding("fits", "the agent runs on this MicroPython")
    said, _, answer = board.run(_QUERY % (_MODULES,)).strip().rpartition("\n")
    facts = json.loads(answer)
    yield Finding("chip", f"MAC {facts['mac']}, {facts['mhz']} MHz")
    yield from memory(said)
    yield from _flash(facts)
    yield _clock(facts)
    yield from _software(board, facts, tree)
    yield _state(facts)
    yield _setup(facts, board)


def memory(said: str) -> Iterator[Finding]:
    """The heap as it stands, and what is left for TLS, by what the board said."""
    found = next(heap.read(said))
    more = f"; {_kib(found.more)} more could be taken from ESP-IDF" if found.more else ""
    text = f"{_kib(found.free)} of {_kib(found.total)} free for Python"
    text += f", {_kib(found.piece)} in one piece{more}"
    yield Finding("heap", text, OK if found.free >= _HEAP else WARN)
    fits = found.idf_largest >= _TLS
    yield Finding(
        "TLS memory",
        f"{_kib(found.idf_free)} free of ESP-IDF's, the largest block {_kib(found.idf_largest)}"
        + ("" if fits else ": only one TLS connection at a time will fit"),
        OK if fits else WARN,
    )


def _flash(facts) -> Iterator[Finding]:
    kind = facts["filesystem"]
    if kind == "littlefs":
        yield Finding("filesystem", "littlefs")
    else:
        text = f"{kind}: files can be lost at a loss of power; flash a stock image with littlefs"
        yield Finding("filesystem", text, WARN)
    free, total = facts["flash"]
    level = OK if free >= _FLASH else WARN
    yield Finding("flash", f"{_kib(free)} of {_kib(total)} free for files", level)
    slots = [row[4] for row in facts["partitions"] if row[0] == 0 and 16 <= row[1] < 32]
    text = f"{', '.join(slots)}; {facts['running']} runs" if slots else "none: no firmware updates"
    yield Finding("OTA slots", text)


def _clock(facts) -> Finding:
    now = facts["now"]
    text = "{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC".format(*now[:6])
    if now[0] < _YEAR:
        return Finding("clock", f"not set ({text}): the agent sets it by NTP")
    skew = abs(time.time() - _seconds(now))
    return Finding("clock", text, OK if skew < _SKEW else WARN)


def _software(board, facts, tree) -> Iterator[Finding]:
    yield Finding("search path", " ".join(path or "''" for path in facts["path"]))
    wins = facts["wins"]
    frozen = wins.get("flyve", "/").startswith(".frozen")
    for module in _MODULES:
        yield _wins(board, module, wins.get(module), tree, frozen)
    if "flyve" in wins and not frozen:
        yield _whole(board, wins["flyve"].rpartition("/flyve")[0], tree)


def _wins(board, module, where, tree, frozen) -> Finding:
    if not where:
        return Finding(module, "not on the board: `flyve deploy` puts it there", WARN)
    if where.startswith(".frozen"):
        if frozen:
            return Finding(module, f"{where}, with the agent in the firmware")
        return Finding(module, f"{where} is used, not ours: `flyve deploy` mends it", WARN)
    if module == "flyve":
        return Finding(module, where)
    ours = tree / where.removeprefix("/rom").lstrip("/")
    if not ours.is_file() or board.read(where) != ours.read_bytes():
        return Finding(module, f"{where}, another version: `flyve deploy` renews it", WARN)
    return Finding(module, f"{where} {_VERSIONS.get(module, '')}".rstrip())


def _whole(board, slot, tree) -> Finding:
    """Is the agent there in all its files, and as it was compiled?"""
    wanted = {}
    for path in tree.rglob("*"):
        name = path.relative_to(tree).as_posix()
        if path.is_file() and not name.startswith("lib/"):
            # boot.py and main.py start from the flash only, whatever slot the agent is in.
            there = f"{slot}/{name}" if "/" in name else f"/{name}"
            wanted[there] = hashlib.sha256(path.read_bytes()).hexdigest()
    found = board.hashes((f"{slot}/flyve", "/boot.py", "/main.py"))
    missing = sorted(set(wanted) - set(found))
    other = sorted(path for path in found if found[path] != wanted.get(path))
    own = "/main.py" in other  # which an application may bring
    other = [path for path in other if path != "/main.py"]
    if not missing and not other:
        text = f"all {len(wanted)} are as flyve {VERSION} compiles them"
        return Finding("files", text + (", but /main.py is not the agent's" if own else ""))
    same = sum(path.startswith(f"{slot}/flyve/") for path in set(found) - set(other))
    if not missing and not same:
        return Finding("files", "another version of the agent: `flyve deploy` renews it", WARN)
    named = [f"{path} is missing" for path in missing] + [f"{path} is another" for path in other]
    rest = f" and {len(named) - 3} more" if len(named) > 3 else ""
    text = f"{', '.join(named[:3])}{rest}: `flyve deploy` puts that right"
    return Finding("files", text, BAD)


def _state(facts) -> Finding:
    wifi = "Wi-Fi is provisioned" if "wifi" in facts["nvs"] else "no Wi-Fi: `flyve provision`"
    record = any(key.startswith("rec.") for key in facts["nvs"])
    return Finding("state", f"{wifi}; {'has a record' if record else 'blank'}")


def _setup(facts, board) -> Finding:
    try:
        found = json.loads(board.read(pure.load("jobs.config").PATH))
        off = isinstance(found, dict) and found.get("setup") == "off"
    except (FileNotFoundError, ValueError):
        off = False
    if off:
        return Finding("set-up", "no network of its own: `flyve provision --setup-on` lets it")
    name = setup_network.name(facts["mac"].replace(":", ""))
    if "setup_psk" in facts["nvs"]:
        return Finding("set-up", f"network {name} while blank; it has its passphrase")
    return Finding("set-up", f"network {name} while blank; `flyve deploy` makes its passphrase")


def _seconds(now) -> float:
    return calendar.timegm((*now[:6], 0, 0, 0))


def _kib(size: int) -> str:
    return f"{size / 1024:.0f} KiB"
