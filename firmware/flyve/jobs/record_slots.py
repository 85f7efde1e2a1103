"""The record's two slots in NVS, each with a CRC and a sequence number.

A save goes to the slot that does not hold the newest record, so a power cut at any write leaves
the old record or the new one. A save that must not leave a secret behind (scrub) is followed by
an erasure of the older slot, and a boot finishes one that a cut prevented.
"""

import binascii
import json
import struct

from flyve.jobs import nvs

VERSION = 1
LIMIT = 1900  # bytes of one slot; an NVS blob of this size fits into one page
_HEAD = "<2sBBIH"  # magic, version, flags, sequence, length of the JSON that follows; then CRC32
_HEAD_SIZE = 10
_SCRUB = 1
_SLOTS = ("rec.a", "rec.b")


class _Damaged(Exception):
    """The slot cannot be used; the text says why."""


class NewerRecord(Exception):
    """Written by newer firmware: must not be overwritten by this one; says what to do."""


def _read(slot):
    """(sequence, flags, values) of a slot, None when it is empty; raises what is wrong with it."""
    from flyve.jobs import texts

    blob = nvs.get(slot)
    if blob is None:
        return None
    if len(blob) < _HEAD_SIZE:
        raise _Damaged("is too short")
    magic, version, flags, sequence, length = struct.unpack_from(_HEAD, blob)
    end = _HEAD_SIZE + length
    if magic != b"FR" or len(blob) != end + 4:
        raise _Damaged("is not a record")
    # mutants: of one value the first is the last
    if struct.unpack_from("<I", blob, end)[0] != binascii.crc32(memoryview(blob)[:end]):
        raise _Damaged("has a wrong checksum")
    if version > VERSION:
        raise NewerRecord(
            "the record is of version %d, newer than this firmware knows (%d): "
            "install newer firmware, or run `flyve reset` and enroll again" % (version, VERSION)
        )
    values = texts.loads(bytes(memoryview(blob)[_HEAD_SIZE:end]))
    if not isinstance(values, dict):
        raise _Damaged("is not a record")
    return sequence, flags, values


def load():
    """What Record() is made of, and texts about slots that are there but unreadable."""
    problems = []
    sequence, flags, values = 0, 0, {}  # mutants: without a slot the flags do not count
    newest = None
    for i in (0, 1):
        try:
            found = _read(_SLOTS[i])
        except _Damaged as e:
            problems.append("slot %s %s" % (_SLOTS[i], e))
            continue
        except (OSError, ValueError) as e:
            problems.append("slot %s: %r" % (_SLOTS[i], e))
            continue
        # mutants: no two slots have the same number
        if found and (newest is None or found[0] > sequence):
            sequence, flags, values = found
            newest = i
    if newest is None:
        newest = 1
    elif flags & _SCRUB:
        try:
            erase(1 - newest)
        except OSError as e:
            problems.append("slot %s: %r" % (_SLOTS[1 - newest], e))
    return values, sequence, newest, problems


def write(values, changes, sequence, newest, scrub):
    """Makes the values with these changes durable, all or none; returns what there is now, as
    Record() has it."""
    values = values.copy()
    for key, value in changes.items():
        if value is None:
            values.pop(key, None)
        else:
            values[key] = value
    body = json.dumps(values).encode()
    blob = bytearray(_HEAD_SIZE + len(body) + 4)
    if len(blob) > LIMIT:
        raise OSError("the record would take %d bytes of %d" % (len(blob), LIMIT))
    flags = _SCRUB if scrub else 0
    sequence += 1
    newest = 1 - newest
    struct.pack_into(_HEAD, blob, 0, b"FR", VERSION, flags, sequence, len(body))
    blob[_HEAD_SIZE:-4] = body
    struct.pack_into("<I", blob, len(blob) - 4, binascii.crc32(memoryview(blob)[:-4]))
    nvs.put(_SLOTS[newest], blob)
    return values, sequence, newest


def erase(slot):
    """Erases one of the two for good."""
    nvs.erase(_SLOTS[slot])
