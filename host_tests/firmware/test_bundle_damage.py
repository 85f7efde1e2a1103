"""Damaged archives: refused by name, or unpacked into their folder and nowhere else."""

import io
import tarfile

from host_tests.firmware.batches import run, sizes
from host_tests.kit.damage import BYTES, damaged
from host_tests.kit.sample import chance

BOARD = True
HEAP = "1M"


def _archive():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in (("main.py", b"print(1)\n"), ("lib/a.txt", b"x" * 700), ("lib", None),
                           ("data/b.bin", bytes(1200)), ("./c", b"")):  # fmt: skip
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE if data is None else tarfile.REGTYPE
            info.size = len(data or b"")
            archive.addfile(info, io.BytesIO(data or b""))
    return out.getvalue()[: 512 * 12]


def _member(data, random):
    """A field of a header changed, its checksum right again."""
    heads = [at for at in range(0, len(data) - 511, 512) if data[at + 257 : at + 262] == b"ustar"]
    if not heads:
        return data
    at = random.choice(heads)
    head = bytearray(data[at : at + 512])
    place, size, values = random.choice((
        (0, 100, (b"../evil", b"/evil", b"a/../../evil", b"a//b", b"main.py/x", b"lib", b"\xff",
                  b"n" * 100, b".", b"./", b"..", b"x\x01y", b"a\\b", b"flyve/agent.mpy", b"")),
        (124, 12, (b"77777777777", b"-1", b"0", b"00000001000", b"9", b"\x80" + bytes(11), b"")),
        (156, 1, tuple(b"01234567xgLKS\0\xff")),
        (345, 155, (b"../..", b"/", b"p" * 155, b"a/b", b"")),
        (257, 8, (b"ustar  \0", b"ustar\00000", bytes(8))),
        (148, 8, (b"0", b"xyz")),
    ))  # fmt: skip
    value = random.choice(values)
    value = bytes([value]) if isinstance(value, int) else value
    head[place : place + size] = value.ljust(size, b"\0")
    if place != 148:
        head[148:156] = b"%06o\0 " % (sum(head) - sum(head[148:156]) + 256)
    return data[:at] + bytes(head) + data[at + 512 :]


@sizes(60, 4_000)
def test_archives(upy, count):
    random = chance("archive")
    good = _archive()
    ways = (*BYTES, _member, _member, _member, _member, _member, _member, _member)
    unpacked = run(upy, "bundles", lambda: damaged(random, good, ways), count)
    assert count / 20 < sum(unpacked) < count
