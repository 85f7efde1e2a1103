"""`gc` of a virtual board: the firmware's heap alone, without what the interpreter and these
modules hold, and mem_free() as on an ESP32: it counts what the heap could still take from
ESP-IDF."""

import gc
from gc import *  # noqa: F403

import esp32

_others = _split = 0


def attach(heap):
    """heap: the bytes that are the firmware's."""
    global _others, _split
    _others = gc.mem_alloc() + gc.mem_free() - heap
    _split = max(region[2] for region in esp32.idf_heap_info(esp32.HEAP_DATA))


def mem_alloc():
    return gc.mem_alloc() - _others


def mem_free():
    return gc.mem_free() + _split
