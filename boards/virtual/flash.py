"""The virtual board's flash chip and its power supply.

`Power` counts every write and erase of flash and NVS and cuts the power at a chosen one; it counts
the reads of flash, too, each of which may take its time.
`Nor` is one partition on an image file with the behaviour of NOR flash: an erase sets a
block to 0xff, a program can only clear bits. It has the block protocol of `vfs`.
"""

import os
import struct

from utime import sleep_us

BLOCK = 4096
EIO = 5

_BLANK32 = b"\xff" * 32
_BLANK128 = b"\xff" * 128
_ERASED = b"\xff" * BLOCK


class Power:
    """Counts flash operations in the state file, which outlives a reset, and ends the process.

    `control` is the pipe to the supervisor, `leash` a pipe that never brings data: reading
    it stops the firmware for good until the supervisor's SIGKILL comes.
    """

    def __init__(self, state, control, leash, cut_after, torn, read_us=0):
        self._state, self._control, self._leash = state, control, leash
        self._cut_after, self.torn = cut_after, torn
        self._off, self._read_us, self._told = False, read_us, True
        # operations, programs of flash, erases of flash, bytes programmed, programs of NVS, reads
        # of flash, and the pieces of 32 bytes that these were
        self._counters = bytearray(56)
        state.seek(0)
        state.readinto(self._counters)
        (self._ops, self._programs, self._erases, self._bytes, self._nvs, self.reads,
         self._pieces) = struct.unpack("<7Q", self._counters)  # fmt: skip

    def count(self, flash, programmed):
        """Counts one operation before it happens; true when the power fails in its middle.

        `programmed` is the number of bytes of a program, 0 for an erase.
        """
        if self._off:
            raise OSError(EIO)
        self._ops += 1
        if not flash:
            self._nvs += 1
        elif programmed:
            self._programs += 1
            self._bytes += programmed
        else:
            self._erases += 1
        self._save()
        return self._ops == self._cut_after

    def read(self, size):
        """Counts one read of flash. The host is told with the next operation or message."""
        self.reads += 1
        self._pieces += (size + 31) // 32
        self._told = False
        if self._read_us:
            sleep_us(self._read_us)

    def _save(self):
        struct.pack_into(
            "<7Q",
            self._counters,
            0,
            self._ops,
            self._programs,
            self._erases,
            self._bytes,
            self._nvs,
            self.reads,
            self._pieces,
        )
        self._state.seek(0)
        self._state.write(self._counters)
        self._told = True

    def cut(self):
        """The power fails."""
        self.halt(b"X\n")

    def halt(self, message):
        """Tells the supervisor why the board stops. Does not return: nothing may run after it,
        no `finally` of the firmware either."""
        self._off = True
        self.tell(message)
        while self._leash.read(1):
            pass
        _die()

    def tell(self, message):
        """Sends one line to the supervisor."""
        if not self._told:
            self._save()
        try:
            self._control.write(message)
        except OSError:
            _die()


def _die():
    # Only when the supervisor is gone: there is nobody else who could send the signal.
    while True:
        os.system("kill -9 $PPID")


class Nor:
    """A partition of NOR flash on an image file; `flash` is false for the NVS partition."""

    def __init__(self, file, size, power, flash=True):
        self._file, self.size = file, size
        self._power, self._flash = power, flash
        # All that a read or a program needs is allocated here, once.
        self._old32 = bytearray(32)
        self._old128 = bytearray(128)

    def read(self, address, buf):
        if self._flash:
            self._power.read(len(buf))
        self._file.seek(address)
        self._file.readinto(buf)

    def program(self, address, buf):
        """Clears bits. Raises OSError(EIO) when it would have to set one."""
        self._check(address, buf)
        last = self._power.count(self._flash, len(buf))
        self._file.seek(address)
        if last:
            self._file.write(memoryview(buf)[: self._power.torn])
            self._power.cut()
        self._file.write(buf)

    def erase(self, block):
        """Sets one block to 0xff."""
        if not 0 <= block < self.size // BLOCK:
            raise OSError(EIO)
        last = self._power.count(self._flash, 0)
        self._file.seek(block * BLOCK)
        if last:
            self._file.write(memoryview(_ERASED)[: self._power.torn])
            self._power.cut()
        self._file.write(_ERASED)

    def readblocks(self, block, buf, offset=0):
        self.read(block * BLOCK + offset, buf)

    def writeblocks(self, block, buf, offset=None):
        if offset is None:
            for n in range(len(buf) // BLOCK):
                self.erase(block + n)
            offset = 0
        self.program(block * BLOCK + offset, buf)

    def ioctl(self, op, arg):
        if op == 4:
            return self.size // BLOCK
        if op == 5:
            return BLOCK
        if op == 6:
            self.erase(arg)
            return 0
        return 0 if 1 <= op <= 3 else None

    def _check(self, address, buf):
        size = len(buf)
        if address < 0 or address + size > self.size:
            raise OSError(EIO)
        self._file.seek(address)
        at = 0
        while at < size:
            if size - at >= 128:
                old, blank = self._old128, _BLANK128
            else:
                old, blank = self._old32, _BLANK32
            self._file.readinto(old)
            if old != blank:
                for n in range(min(len(old), size - at)):
                    if buf[at + n] & ~old[n]:
                        print("flash: a program at 0x%x would set bits" % (address + at + n))
                        raise OSError(EIO)
            at += len(old)


class Running(Nor):
    """The partition of the firmware that runs: ESP-IDF ends the program that would change it."""

    def program(self, address, buf):
        self._abort()

    def erase(self, block):
        self._abort()

    def _abort(self):
        print("abort() was called: a write to the partition that runs")
        self._power.halt(b"R 2\n")
