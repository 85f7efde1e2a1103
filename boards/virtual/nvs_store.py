"""Non-volatile storage: an append-only log with a CRC in each entry, in two halves.

Runs in MicroPython on the board and in CPython on the host. The image consists of two
halves; the one whose header is valid and has the higher generation is in use. A full log
is copied without its dead entries to the other half, whose header is written last. Erased
values stay in the image until then, as in the real NVS.

An entry is kind, length, CRC, namespace, key and value, padded to 32 bytes, and is written
by one program operation. One that is torn does not read.
"""

import struct
from binascii import crc32

I32, BLOB, ERASED = 1, 2, 3

NAME_MAX = 15

# What esp_err_to_name() says, for the codes that can occur (ESP-IDF, nvs.h).
NOT_FOUND = 0x1102, "ESP_ERR_NVS_NOT_FOUND"
NOT_ENOUGH_SPACE = 0x1105, "ESP_ERR_NVS_NOT_ENOUGH_SPACE"
INVALID_NAME = 0x1106, "ESP_ERR_NVS_INVALID_NAME"
KEY_TOO_LONG = 0x1109, "ESP_ERR_NVS_KEY_TOO_LONG"
INVALID_LENGTH = 0x110C, "ESP_ERR_NVS_INVALID_LENGTH"

_ENTRY = "<BxHI16s16s"
_HEAD = 40
_ALIGN = 32
_MAGIC = 0x31535645
_BLANK = 0xFF


def error(code):
    """The exception that the esp32 module raises for an ESP-IDF code."""
    return OSError(-code[0], code[1])


def name(namespace, key):
    """Namespace and key as they stand in an entry. Raises OSError."""
    namespace, key = namespace.encode(), key.encode()
    if not namespace or not key:
        raise error(INVALID_NAME)
    if len(namespace) > NAME_MAX or len(key) > NAME_MAX:
        raise error(KEY_TOO_LONG)
    return struct.pack("16s16s", namespace, key)


class Store:
    """The key-value store on a device with `size`, `read`, `program` and `erase`.

    With `lazy` a set or an erase stays in RAM until commit(); otherwise it is durable at once.
    Both are within what ESP-IDF promises.
    """

    def __init__(self, device, lazy=False):
        self._device, self._lazy = device, lazy
        self._half = device.size // 2 // 4096 * 4096
        self._head = bytearray(_HEAD)
        self._name = memoryview(self._head)[8:]
        self._pending = []
        self._open()

    def get(self, wanted, kind, buf):
        """Copies the value into `buf` and returns its length; `wanted` comes from name().

        Raises OSError: not there or of another kind, or longer than `buf`.
        """
        entry = self._pending_entry(wanted)
        if entry:
            length = struct.unpack_from("<H", entry, 2)[0]
            at = -1 if entry[0] != kind else _HEAD
        else:
            at = self._find(wanted)
            if at >= 0:
                found, length = self._kind_length(at)
                at = -1 if found != kind else at + _HEAD
        if at < 0:
            raise error(NOT_FOUND)
        if length > len(buf):
            raise error(INVALID_LENGTH)
        value = memoryview(buf)[:length]
        if entry:
            value[:] = memoryview(entry)[at : at + length]
        elif length:
            self._device.read(at, value)
        return length

    def put(self, wanted, kind, value):
        """Sets a value, whatever kind the key had before. Raises OSError when it does not fit."""
        value = bytes(value)
        if self._holds(wanted, kind, value):
            return  # ESP-IDF does not write what is there already
        self._add(self._entry(wanted, kind, value))

    def erase(self, wanted):
        """Erases a key. Raises OSError when it is not there."""
        entry = self._pending_entry(wanted)
        if entry[0] == ERASED if entry else self._live(wanted) < 0:
            raise error(NOT_FOUND)
        self._add(self._entry(wanted, ERASED, b""))

    def commit(self):
        """Makes all sets and erases durable, in their order."""
        while self._pending:
            self._write(self._pending[0])
            self._pending.pop(0)

    def entries(self):
        """Yields (name, kind, value) of each durable live entry, in the order of the log."""
        for at in self._walk():
            kind, length = self._kind_length(at)
            wanted = bytes(self._name)
            if kind != ERASED and self._find(wanted) == at:
                value = bytearray(length)
                self._device.read(at + _HEAD, value)
                yield wanted, kind, bytes(value)

    def compact(self):
        """Copies what lives to the other half and erases this one."""
        old = self._base
        new = self._half - old if self._generation else 0
        if not self._is_blank(new, new + self._half):
            self._erase_half(new)
        end = new + _ALIGN
        if self._generation:
            for at in self._walk():
                kind, length = self._kind_length(at)
                wanted = bytes(self._name)
                if kind != ERASED and self._find(wanted) == at:
                    entry = bytearray(_size(length))
                    self._device.read(at, entry)
                    self._device.program(end, entry)
                    end += len(entry)
        head = struct.pack("<II", _MAGIC, self._generation + 1)
        self._device.program(new, head + struct.pack("<I", crc32(head)))
        used = self._generation
        self._base, self._end, self._generation = new, end, self._generation + 1
        self._dirty = False
        if used:
            self._erase_half(old)

    def _open(self):
        self._base = self._generation = 0
        for base in (0, self._half):
            head = bytearray(12)
            self._device.read(base, head)
            magic, generation, crc = struct.unpack("<III", head)
            if magic == _MAGIC and crc == crc32(head[:8]) and generation > self._generation:
                self._base, self._generation = base, generation
        # Without a valid half the first write makes one.
        self._dirty = not self._generation
        at = self._base + _ALIGN
        limit = self._base + self._half
        while self._generation and at + _HEAD <= limit and self._is_valid(at, limit):
            at += _size(self._kind_length(at)[1])
        self._end = at
        # A torn entry at the end: bits are cleared there, so nothing can be appended.
        self._dirty = self._dirty or not self._is_blank(at, limit)

    def _is_valid(self, at, limit):
        kind, length = self._kind_length(at)
        if kind not in (I32, BLOB, ERASED) or at + _size(length) > limit:
            return False
        entry = bytearray(_HEAD + length)
        self._device.read(at, entry)
        return struct.unpack_from("<I", entry, 4)[0] == _crc(entry)

    def _is_blank(self, at, end):
        chunk = bytearray(1024)
        while at < end:
            view = memoryview(chunk)[: min(len(chunk), end - at)]
            self._device.read(at, view)
            if view != b"\xff" * len(view):
                return False
            at += len(view)
        return True

    def _walk(self):
        at = self._base + _ALIGN
        while self._generation and at < self._end:
            yield at
            at += _size(self._kind_length(at)[1])

    def _kind_length(self, at):
        # Also leaves the entry's name in self._name.
        self._device.read(at, self._head)
        return struct.unpack_from("<BxH", self._head)

    def _find(self, wanted):
        # The address of the last entry of that name, or -1. Allocates nothing but integers.
        found = -1
        at = self._base + _ALIGN
        while self._generation and at < self._end:
            self._device.read(at, self._head)
            if self._head[0] == _BLANK:
                break  # the partition was erased under us
            if self._name == wanted:
                found = at
            at += _size(self._head[2] | self._head[3] << 8)
        return found

    def _live(self, wanted):
        at = self._find(wanted)
        return at if at >= 0 and self._kind_length(at)[0] != ERASED else -1

    def _pending_entry(self, wanted):
        for entry in reversed(self._pending):
            if memoryview(entry)[8:_HEAD] == wanted:
                return entry
        return None

    def _holds(self, wanted, kind, value):
        buf = bytearray(len(value))
        try:
            return self.get(wanted, kind, buf) == len(value) and buf == value
        except OSError:
            return False

    def _entry(self, wanted, kind, value):
        entry = bytearray(_size(len(value)))
        struct.pack_into("<BxHI", entry, 0, kind, len(value), 0)
        entry[8:_HEAD] = wanted
        entry[_HEAD : _HEAD + len(value)] = value
        struct.pack_into("<I", entry, 4, _crc(memoryview(entry)[: _HEAD + len(value)]))
        return entry

    def _add(self, entry):
        if not self._lazy:
            self._write(entry)
            return
        size = self._live_size() + len(entry)
        for waiting in self._pending:
            size += len(waiting)
        if size > self._half - _ALIGN:
            raise error(NOT_ENOUGH_SPACE)
        self._pending.append(entry)

    def _write(self, entry):
        if self._dirty or self._end + len(entry) > self._base + self._half:
            if self._live_size() + len(entry) > self._half - _ALIGN:
                raise error(NOT_ENOUGH_SPACE)
            self.compact()
        self._device.program(self._end, entry)
        self._end += len(entry)

    def _live_size(self):
        size = 0
        for at in self._walk():
            kind, length = self._kind_length(at)
            if kind != ERASED and self._find(bytes(self._name)) == at:
                size += _size(length)
        return size

    def _erase_half(self, base):
        for block in range(base // 4096, (base + self._half) // 4096):
            self._device.erase(block)


def _size(length):
    return (_HEAD + length + _ALIGN - 1) // _ALIGN * _ALIGN


def _crc(entry):
    # Of all but the CRC itself and the padding.
    view = memoryview(entry)
    length = struct.unpack_from("<H", entry, 2)[0]
    return crc32(view[8 : _HEAD + length], crc32(view[:4]))
