"""A partition in ESP-IDF's NVS format: made by Espressif's generator, read by a reader of our own.

Source of the format: ESP-IDF's documentation of the NVS library, "Internals".
"""

import io
import struct
import zlib
from collections.abc import Iterator, Mapping

from esp_idf_nvs_partition_gen import nvs_partition_gen as generator

from flyve_mdm.board.image import BLOCK as PAGE

LEAST = 3 * PAGE  # one page always stays free, and a blob that is replaced needs its place twice
_ENTRY, _FIRST, _ENTRIES = 32, 64, 126
_ACTIVE, _FULL, _FREEING = 0xFFFFFFFE, 0xFFFFFFFC, 0xFFFFFFF8
_IN_USE = 2  # of the two bits that each entry has in a page's bitmap
_I32, _CHUNK, _INDEX = 0x14, 0x42, 0x48


def build(entries: Mapping[tuple[str, str], int | bytes], size: int) -> bytes:
    """A partition of `size` bytes with the entries by (namespace, key): integers of 32 bits and
    blobs, as MicroPython's esp32.NVS has them. Raises ValueError when they do not fit."""
    if size < LEAST or size % PAGE:
        raise ValueError(f"an NVS partition of {size} bytes is too small: it needs {LEAST}")
    out = io.BytesIO()
    try:
        # It adds the page that stays free.
        with generator.nvs_open(out, size - PAGE, generator.Page.VERSION2) as made:
            namespace = None
            for (owner, key), value in sorted(entries.items()):
                if owner != namespace:
                    generator.write_entry(made, owner, "namespace", "", "")
                    namespace = owner
                if isinstance(value, int):
                    generator.write_entry(made, key, "data", "i32", str(value))
                else:
                    generator.write_entry(made, key, "data", "hex2bin", value.hex())
    except generator.InsufficientSizeError:
        raise ValueError(f"the settings do not fit an NVS partition of {size} bytes") from None
    data = out.getvalue()
    if len(data) != size:
        raise ValueError(f"the settings do not fit an NVS partition of {size} bytes")
    return data


def read(data: bytes) -> dict[tuple[str, str], int | bytes]:
    """The integers of 32 bits and the blobs in a partition, by (namespace, key).

    What has a wrong checksum, as a cut write leaves it, is passed over, as ESP-IDF does.
    """
    names, values, blobs, chunks = {}, {}, {}, {}
    for space, kind, key, index, body, content in _entries(data):
        if space == 0:
            names[body[0]] = key
        elif kind == _I32:
            values[space, key] = struct.unpack("<i", body[:4])[0]
        elif kind == _CHUNK:
            chunks[space, key, index] = content
        elif kind == _INDEX:
            blobs[space, key] = struct.unpack("<IBB", body[:6])
    for (space, key), (size, count, first) in blobs.items():
        parts = [chunks.get((space, key, first + n)) for n in range(count)]
        if None not in parts and len(b"".join(parts)) == size:
            values[space, key] = b"".join(parts)
    return {(names[space], key): v for (space, key), v in values.items() if space in names}


def _entries(data: bytes) -> Iterator[tuple[int, int, str, int, bytes, bytes]]:
    """Namespace's number, type, key, chunk's index, the 8 bytes of data, and what follows."""
    for page in _pages(data):
        place = 0
        while place < _ENTRIES:
            at = _FIRST + place * _ENTRY
            entry = page[at : at + _ENTRY]
            state = page[32 + place // 4] >> place % 4 * 2 & 3
            space, kind, span, index, checksum = struct.unpack_from("<4BI", entry)
            if state != _IN_USE or checksum != _crc(entry[:4] + entry[8:]):
                place += 1
                continue
            place += span or 1
            body, content = entry[24:], b""
            if kind == _CHUNK:
                size, expected = struct.unpack("<HxxI", body)
                content = page[at + _ENTRY : at + _ENTRY + size]
                if _crc(content) != expected:
                    continue
            yield space, kind, entry[8:24].split(b"\0")[0].decode(), index, body, content


def _pages(data: bytes) -> list[bytes]:
    """The pages in use, in the order in which they were written."""
    found = []
    for at in range(0, len(data) - PAGE + 1, PAGE):
        page = data[at : at + PAGE]
        state, number = struct.unpack_from("<II", page)
        good = struct.unpack_from("<I", page, 28)[0] == _crc(page[4:28])
        if good and state in (_ACTIVE, _FULL, _FREEING):
            found.append((number, page))
    return [page for _, page in sorted(found)]


def _crc(data: bytes) -> int:
    return zlib.crc32(data, 0xFFFFFFFF)
