"""Damaged slots of the record: the other one is used, and written over."""

import struct
import zlib

from host_tests.firmware.batches import run, sizes
from host_tests.kit.damage import BYTES, damaged
from host_tests.kit.sample import chance

BOARD = True
HEAP = "1M"


def _slot(body, version=1, flags=0, sequence=9):
    blob = struct.pack("<2sBBIH", b"FR", version, flags, sequence, len(body)) + body
    return blob + struct.pack("<I", zlib.crc32(blob))


def _resum(data, random):
    return data[:-4] + struct.pack("<I", zlib.crc32(data[:-4])) if len(data) > 4 else data


@sizes(200, 5_000)
def test_record_slots(upy, count):
    random = chance("record")
    good = upy.call("damaged_input", "slot_of_an_agent")
    bodies = (b"{}", b"[]", b"null", b"5", b'"x"', b"[[[", b"{", b"", b"\xff", b'{"state": []}')
    ways = (*BYTES, lambda data, random: _slot(random.choice(bodies), flags=random.choice((0, 1))))

    def make():
        data = damaged(random, good, ways)
        if random.random() < 0.2:
            data = _resum(data, random)
        # NVS holds no blob of that size.
        return [data[:1900], random.random() < 0.5]

    run(upy, "records", make, count, good)
