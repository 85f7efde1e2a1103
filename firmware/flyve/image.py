"""Writes an ESP32 application image to the OTA partition that does not run."""

import os
import struct

from micropython import const

from flyve import board, update
from flyve.registry import Failed, Incompatible

_BLOCK = const(4096)
# Of esp_app_desc_t, which a boot loader and so the image of a whole flash have not.
_DESCRIPTION = const(0xABCD5432)
_PIECE = const(512)


def install(path):
    """A job: the image in the file at path starts on trial at the next reset. Raises Failed, and
    Incompatible for another chip or a board without OTA slots."""
    update.spare()
    running = board.running()
    try:
        partition = running.get_next_update()
    except OSError:
        raise Incompatible("no OTA partition")
    size = os.stat(path)[6]
    buf = memoryview(bytearray(_BLOCK))
    back = memoryview(bytearray(_PIECE))
    with open(path, "rb") as f:
        if f.readinto(buf) < 288 or struct.unpack_from("<I", buf, 32)[0] != _DESCRIPTION:
            raise Failed("no application image (.app-bin)")
        running.readblocks(0, back)
        if buf[12:14] != back[12:14]:
            raise Incompatible("image for another chip")
        if size > partition.info()[3]:
            raise Failed("image too big")
        f.seek(0)
        for block in range((size + _BLOCK - 1) // _BLOCK):
            n = f.readinto(buf)
            for i in range(n, _BLOCK):
                buf[i] = 255
            partition.writeblocks(block, buf)
            for at in range(0, _BLOCK, _PIECE):
                partition.readblocks(block, back, at)
                if back != buf[at : at + _PIECE]:
                    raise Failed("flash error")
            yield
    update.try_image(partition)
