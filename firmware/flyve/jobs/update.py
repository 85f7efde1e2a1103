"""Updates of the agent and of the firmware: on trial until the agent has been online for a while.

All state is the integer "update" in NVS, so that each step is one commit. Its bits: 0-1 the slot
in use (0 /flyve, 1 /flyve.a, 2 /flyve.b), 2-3 the slot on trial, 4-5 how often that was started,
6-7 how the last trial ended, 8-15 the subtype of the partition on trial, 16-17 one more than the
slot to fall back to, when the one in use goes on crashing (0: none), 18 the other partition is to
be fallen back to, 19 that has happened. boot.py changes it, too.
"""

import os
import struct

from micropython import const

from flyve import board
from flyve.jobs import board_facts
from flyve.registry import Failed, Incompatible

_SAFE = const(5)  # crashes in a row, after which applications are not started
_CONFIRMED = const(64)
_FAILED = const(128)
_KEPT = const(0x70003)  # the slot in use, and where to fall back to
_OTHER = const(1 << 18)
_FALLEN = const(1 << 19)
_BLOCK = const(4096)
# Of esp_app_desc_t, which a boot loader and so the image of a whole flash have not.
_DESCRIPTION = const(0xABCD5432)
_PIECE = const(512)


def _get():
    return board.nvs_get_int("update") or 0


def status():
    """How the newest update stands: "trial" while it runs unconfirmed, "confirmed" or "failed"
    from its end until forget(), else None."""
    bits = _get()
    if bits & _CONFIRMED:
        return "confirmed"
    # The boot loader has rolled back, or never got to know of the image.
    image = bits >> 8 & 255
    if bits & _FAILED or (image and board_facts.running().info()[1] != image):
        return "failed"
    return "trial" if bits & 48 or image else None


def on_trial():
    """True while what runs has to be confirmed."""
    return status() == "trial"


def confirm():
    """Keeps what runs, if it is on trial; what ran before is what to fall back to."""
    if on_trial():
        bits = _get()
        kept = bits & _KEPT
        if bits >> 2 & 3:
            kept = bits & _OTHER | (bits & 3) + 1 << 16 | bits >> 2 & 3
        elif bits >> 8 & 255:
            board_facts.running().mark_app_valid_cancel_rollback()
            if not bits & _FALLEN:
                kept |= _OTHER
        board.nvs_set_int("update", kept | _CONFIRMED)


def forget():
    """Forgets how the last trial ended, once it has been reported."""
    bits = _get()
    if bits != bits & _KEPT and not on_trial():
        board.nvs_set_int("update", bits & _KEPT)


def slots():
    """The folders of the slots that are in use, on trial, or what to fall back to."""
    bits = _get()
    numbers = bits & 3, bits >> 2 & 3, (bits >> 16 & 3) - 1
    return ["flyve." + "?ab?"[number] for number in numbers]


def spare():
    """(number, folder) of the slot for a new agent, which nothing falls back to from now on;
    raises Failed while an update is on trial."""
    if on_trial():
        raise Failed("an update is on trial")
    bits = _get()
    number = 2 if bits & 3 == 1 else 1
    if bits >> 16 & 3 == number + 1:
        # The agent beside the slots is always there.
        board.nvs_set_int("update", bits & ~(3 << 16) | (1 << 16 if bits & 3 else 0))
    return number, "/flyve." + "?ab"[number]


def try_slot(number):
    """Lets the next start be the first on trial of that slot."""
    board.nvs_set_int("update", _get() & _KEPT | number << 2)


def install_image(path):
    """A job: writes the application image in the file at path to the OTA partition that does not
    run; the next reset starts it on trial. Raises Failed, and Incompatible for another chip or a
    board without OTA slots."""
    if on_trial():
        raise Failed("an update is on trial")
    running = board_facts.running()
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
        bits = _get() & _KEPT & ~_OTHER
        if bits != _get():
            board.nvs_set_int("update", bits)
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
    board.nvs_set_int("update", bits | partition.info()[1] << 8)
    try:
        partition.set_boot()
    except OSError:
        board.nvs_set_int("update", bits)
        raise Failed("damaged image")


def crashes():
    """How many of the last starts have crashed, in a row, as boot.py has counted them: a crash
    that NVS could not take is as good as too many."""
    try:
        counted = board.nvs_get_int("crashes") or 0
    except OSError:
        counted = 0
    return max(counted, getattr(__import__("__main__"), "uncounted", 0))


def safe_mode():
    """True when too many of the last starts have crashed for applications; ask before stable()."""
    return crashes() >= _SAFE


def stable():
    """Ends the row of crashes; for an agent that has been up for some minutes, so that a watchdog
    bite or an application's crash soon after the start still counts."""
    if board.nvs_get_int("crashes"):
        board.nvs_set_int("crashes", 0)
