"""A board's memory as it stands. gc.mem_free() does not tell it: on an ESP32 it counts what
MicroPython could still take from ESP-IDF, which TLS and Wi-Fi need."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# For a script on the board: heap_as_it_stands() prints what read() takes. The heap's blocks are
# of four words.
SCRIPT = """
import esp32, micropython, sys
def heap_as_it_stands():
    micropython.mem_info()
    h = esp32.idf_heap_info(esp32.HEAP_DATA)
    w = 32 if sys.maxsize > 0x7FFFFFFF else 16
    print("heap blocks of", w, "ESP-IDF", sum([i[1] for i in h]), max([i[2] for i in h]))
"""
_SAID = re.compile(
    r"GC: total: (\d+), used: (\d+), free: (\d+)(?:, max new split: (\d+))?\s+"
    r"No\. of .* max free sz: (\d+)\s+"
    r"heap blocks of (\d+) ESP-IDF (\d+) (\d+)"
)


@dataclass(frozen=True)
class Heap:
    """Bytes: of Python's heap, of its largest free piece, of what it could still take; free of
    ESP-IDF's, and of the largest block there."""

    total: int
    used: int
    free: int
    piece: int
    more: int
    idf_free: int
    idf_largest: int


def read(said: str) -> Iterator[Heap]:
    """What the board said, each time that it did."""
    for found in _SAID.finditer(said):
        total, used, free, more, pieces, block, *idf = (int(n or 0) for n in found.groups())
        yield Heap(total, used, free, pieces * block, more, *idf)
