"""The OTA slot that does not run: a firmware image streams into it, and what is there is known to
be as it came before it may start.

/part.slot names the slot, the bytes of the image that are in it, in whole blocks, and their CRC32;
it is there before the first block is erased. `part`: see delivery_steps.py.
"""

import binascii
import hashlib
import os
import struct

from micropython import const

from flyve import board, log
from flyve.registry import Failed, Incompatible

_NOTE = const("/part.slot")
_JOURNAL = const("/part.json")  # journal.py has it
_BLOCK = const(4096)  # what is erased at once
_CIPHER = const(16)  # bytes of which an encrypted flash takes a multiple
_HEAD = const(288)  # up to the end of esp_app_desc_t
# Of esp_app_desc_t, which a boot loader and so the image of a whole flash have not.
_DESCRIPTION = const(0xABCD5432)
_ERASE = const(6)  # of ioctl()


def _other():
    """The OTA partition that the next image is for, and the one that runs; raises Incompatible
    when there is only that."""
    from flyve.jobs import board_facts

    running = board_facts.running()
    try:
        slot = running.get_next_update()
    except OSError:
        slot = running
    if slot.info() == running.info():
        raise Incompatible("no OTA partition")
    return slot, running


def _noted():
    """(slot, bytes, CRC32) of an image that has begun, or None."""
    try:
        with open(_NOTE, "rb") as f:
            kind, size, crc = [int(n) for n in f.read(64).split()]
        slot, _ = _other()
        return (slot, size, crc) if slot.info()[1] == kind else None
    except (OSError, ValueError, Incompatible):
        return None


def _remove(path):
    try:
        os.remove(path)
    except OSError:
        pass  # it is not there


def check(part, head):
    """The slot for the image that begins with these bytes. Raises Failed, and Incompatible for
    another chip or a board without OTA slots."""
    slot, running = _other()
    if len(head) < _HEAD or struct.unpack_from("<I", head, 32)[0] != _DESCRIPTION:
        raise Failed("no application image (.app-bin)")
    own = bytearray(14)
    running.readblocks(0, own)
    if head[12:14] != own[12:14]:
        raise Incompatible("image for another chip")
    kind, size = slot.info()[1], slot.info()[3]
    if part["total"] > size:
        raise Failed("image too big: %d bytes, %d in the slot" % (part["total"], size))
    part["crc"] = 0
    part["whole"] = "%d 0 0" % kind
    part["noted"] = None
    return slot


def resume(part):
    """A job: goes on with an image that has begun, if what is in the slot is what was noted."""
    found = _noted()
    total = part["total"]
    if found and total is not None and 0 < found[1] <= total:
        slot, size, crc = found
        log.info("download", "goes on at byte %d of %d", size, total)
        digest, there = yield from _read(slot, size)
        if there == crc:
            part.update(slot=slot, have=size, hash=digest, crc=crc)
            part["whole"] = part["noted"] = "%d %d %d" % (slot.info()[1], size, crc)
            return
        log.warn("download", "the OTA partition has changed: it starts over")
    discard()


def write(part, data):
    """Takes the piece that comes next to the flash, but for what of it an encrypted one would not
    take, unless it is the last. Returns how many bytes of it are there."""
    at, size, total = part["base"], len(data), part["total"]
    if at + size < total:
        size -= size % _CIPHER
    if not size:
        return 0
    block, offset = at // _BLOCK, at % _BLOCK
    if not at:
        note(part)  # before anything of it is there
    if not offset:
        part["slot"].ioctl(_ERASE, block)
    end = size
    while end % _CIPHER:
        part["buf"][end] = 255
        end += 1
    # With an offset it does not erase.
    part["slot"].writeblocks(block, part["buf"][:end], offset)
    part["crc"] = crc = binascii.crc32(data[:size], part["crc"])
    at += size
    if at % _BLOCK == 0 or at == total:
        part["whole"] = "%d %d %d" % (part["slot"].info()[1], at, crc)
    return size


def note(part):
    """Makes durable how much of the image is there."""
    if part["whole"] != part["noted"]:
        # Until its close the old content stays: a cut leaves the old note or the new one.
        with open(_NOTE, "w") as f:
            f.write(part["whole"])
        part["noted"] = part["whole"]


def end(part):
    """A job: reads the whole image back; raises Failed when it is not what came."""
    digest, _ = yield from _read(part["slot"], part["total"])
    digest = digest.digest()
    if digest != part["hash"].digest():
        raise Failed("flash error")
    done = part["slot"].info()[4], part["total"], binascii.hexlify(digest).decode()
    log.info("download", "done path=%s bytes=%d sha256=%s", *done)


def _read(slot, size):
    """A job: (SHA-256, CRC32) of so many bytes from the slot's beginning on."""
    digest = hashlib.sha256()
    crc = 0
    buf = memoryview(bytearray(_BLOCK // 2))
    for at in range(0, size, len(buf)):
        piece = buf[: size - at]
        slot.readblocks(at // _BLOCK, piece, at % _BLOCK)
        digest.update(piece)
        crc = binascii.crc32(piece, crc)
        yield
    return digest, crc


def boot(slot):
    """Lets the next start be the first on trial of the image that end() has found whole. Raises
    Failed when the boot loader would not take it."""
    from flyve.jobs import update

    update.try_image(slot.info()[1])
    # A cut from here on ends the trial, before the first start or after it.
    _remove(_NOTE)
    _remove(_JOURNAL)
    try:
        slot.set_boot()
    except OSError:
        slot.ioctl(_ERASE, 0)
        update.try_image(0)
        raise Failed("damaged image")


def discard():
    """Forgets an image that will not be continued: without its first block it is none."""
    found = _noted()
    if found:
        found[0].ioctl(_ERASE, 0)
    _remove(_NOTE)


def clear():
    """Erases the slot unless it holds an image that has run: for a wipe."""
    try:
        slot, _ = _other()
        head = bytearray(1)
        slot.readblocks(0, head)
        if _noted() or head != b"\xe9":
            for block in range(slot.ioctl(4, 0)):
                board.feed()
                slot.ioctl(_ERASE, block)
    except Incompatible:
        pass
    _remove(_NOTE)
