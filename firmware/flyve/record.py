"""The agent's durable record in NVS: two slots, a CRC and a sequence number.

A save goes to the slot that does not hold the newest record, so a power cut at any write leaves
the old record or the new one. A save that must not leave a secret behind (scrub) also erases the
older slot, and a boot finishes an erasure that a cut prevented.
"""

import binascii
import json
import struct

from flyve import board
from flyve.text import loads

VERSION = 1
LIMIT = 1900  # bytes of one slot; an NVS blob of this size fits into one page
_HEAD = "<2sBBIH"  # magic, version, flags, sequence, length of the JSON that follows; then CRC32
_HEAD_SIZE = 10
_SCRUB = 1
_SLOTS = ("rec.a", "rec.b")


class RecordError(Exception):
    """The record cannot be used; the text says why and what to do."""


def _read(slot):
    """(sequence, flags, values) of a slot; None when it is empty; RecordError when unreadable."""
    blob = board.nvs_get(slot)
    if blob is None:
        return None
    if len(blob) < _HEAD_SIZE:
        raise RecordError("slot %s is too short" % slot)
    magic, version, flags, sequence, length = struct.unpack_from(_HEAD, blob)
    end = _HEAD_SIZE + length
    if magic != b"FR" or len(blob) != end + 4:
        raise RecordError("slot %s is not a record" % slot)
    # mutants: of one value the first is the last
    if struct.unpack_from("<I", blob, end)[0] != binascii.crc32(memoryview(blob)[:end]):
        raise RecordError("slot %s has a wrong checksum" % slot)
    if version > VERSION:
        raise NewerRecord(
            "the record is of version %d, newer than this firmware knows (%d): "
            "install newer firmware, or run `flyve reset` and enroll again" % (version, VERSION)
        )
    values = loads(bytes(memoryview(blob)[_HEAD_SIZE:end]))
    if not isinstance(values, dict):
        raise RecordError("slot %s is not a record" % slot)
    return sequence, flags, values


class NewerRecord(RecordError):
    """Written by newer firmware: must not be overwritten by this one."""


class Record:
    """A dict of JSON values that survives power cuts; `state` and all the rest are keys of it."""

    def __init__(self):
        self.values = {}
        self.problems = []  # texts about slots that were there but unreadable
        self._sequence = 0
        self._slot = 1  # the slot that holds the newest record
        self._load()

    def _load(self):
        best = None
        for i in (0, 1):
            try:
                found = _read(_SLOTS[i])
            except NewerRecord:
                raise
            except RecordError as e:
                self.problems.append(str(e))
                continue
            except (OSError, ValueError) as e:
                self.problems.append("slot %s: %r" % (_SLOTS[i], e))
                continue
            # mutants: no two slots have the same number
            if found and (best is None or found[0] > best[0]):
                best = found
                self._slot = i
        if best is None:
            return
        self._sequence, flags, self.values = best
        if flags & _SCRUB:
            try:
                self._erase_other()
            except OSError as e:
                self.problems.append("slot %s: %r" % (_SLOTS[1 - self._slot], e))

    def _erase_other(self):
        board.nvs_erase(_SLOTS[1 - self._slot])

    def get(self, key, default=None):
        """The value of key, or default."""
        return self.values.get(key, default)

    def save(self, scrub=False, **changes):
        """Makes the changes durable, all or none; None removes a key. With scrub, no older
        version of the record stays readable afterwards. Raises RecordError when it grew too big
        and OSError when NVS refuses; the values in RAM are then unchanged."""
        values = self.values.copy()
        for key, value in changes.items():
            if value is None:
                values.pop(key, None)
            else:
                values[key] = value
        if values == self.values and not scrub:
            return
        body = json.dumps(values).encode()
        blob = bytearray(_HEAD_SIZE + len(body) + 4)
        if len(blob) > LIMIT:
            raise RecordError("the record would take %d bytes of %d" % (len(blob), LIMIT))
        flags = _SCRUB if scrub else 0
        struct.pack_into(_HEAD, blob, 0, b"FR", VERSION, flags, self._sequence + 1, len(body))
        blob[_HEAD_SIZE:-4] = body
        crc = binascii.crc32(memoryview(blob)[:-4])
        struct.pack_into("<I", blob, len(blob) - 4, crc)
        board.nvs_set(_SLOTS[1 - self._slot], blob)
        self.values = values
        self._sequence += 1
        self._slot = 1 - self._slot
        if scrub:
            self._erase_other()

    def erase(self):
        """Forgets everything by erasing both slots: for an NVS that takes no other record."""
        for slot in _SLOTS:
            board.nvs_erase(slot)
        self.values = {}

    def clear(self):
        """Forgets everything, for good."""
        self.save(scrub=True, **dict.fromkeys(self.values))
