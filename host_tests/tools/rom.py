"""The boot loader in the ROM of an ESP32, on a pseudo-terminal: as much as esptool asks of it."""

import hashlib
import os
import struct
import threading
import tty
import zlib

SIZE = 4 << 20
_MAGIC = 0x40001000, 0x00F01D83  # the register and the value by which esptool knows an ESP32
_FLASH_ID = 0x1640EF  # of 4 MiB
_SYNC, _READ, _INFO = 0x08, 0x0A, 0x14
_MEM_END, _DEFL_BEGIN, _DEFL_DATA, _MD5, _ERASE = 0x06, 0x10, 0x11, 0x13, 0xD0
_KNOWN = {0x05, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B, 0x0D, 0x0F, 0x10, 0x11, 0x12, 0x13, 0xD0}


class Rom:
    """A chip by its number in images (0: ESP32), in download mode, with a blank flash."""

    def __init__(self, chip: int):
        self._chip = chip
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self.flash = bytearray(b"\xff" * SIZE)
        self.commands: list[int] = []
        self._stub = False
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.write(self._slave, b"\xc0end\xc0")
        self._thread.join(5)
        os.close(self._master)
        os.close(self._slave)

    def _serve(self):
        pending = b""
        while True:
            pending += os.read(self._master, 65536)
            while pending.count(b"\xc0") >= 2:
                _, packet, pending = pending.split(b"\xc0", 2)
                packet = packet.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
                if packet == b"end":
                    return
                if packet:
                    self._obey(packet)

    def _obey(self, packet):
        op, data = packet[1], packet[8:]
        self.commands.append(op)
        value, result = 0, b""
        if op == _INFO and self._chip:
            result = struct.pack("<I8xII", 0, self._chip, 0)
        elif op not in _KNOWN:
            self._answer(op, 0, b"\x01\x05\0\0")
            return
        elif op == _READ:
            value = self._register(struct.unpack("<I", data)[0])
        elif op == _DEFL_BEGIN:
            size, _, _, self._at = struct.unpack_from("<4I", data)
            self._inflate = zlib.decompressobj()
            erased = (size + 4095) // 4096 * 4096
            self.flash[self._at : self._at + erased] = b"\xff" * erased
        elif op == _DEFL_DATA:
            part = self._inflate.decompress(data[16:])
            self.flash[self._at : self._at + len(part)] = part
            self._at += len(part)
        elif op == _MD5:
            start, size = struct.unpack_from("<II", data)
            digest = hashlib.md5(self.flash[start : start + size])
            result = digest.digest() if self._stub else digest.hexdigest().encode()
        elif op == _ERASE:
            self.flash[:] = b"\xff" * SIZE
        for _ in range(8 if op == _SYNC else 1):
            self._answer(op, 0x20120707 if op == _SYNC else value, result + b"\0\0\0\0")
        if op == _MEM_END:
            self._stub = True
            self._send(b"OHAI")

    def _register(self, address):
        if address == _MAGIC[0] and not self._chip:
            return _MAGIC[1]
        # The first data register of the SPI controllers, after a read of the flash's id.
        return _FLASH_ID if address in (0x3FF42080, 0x60002058) else 0

    def _answer(self, op, value, data):
        if self._stub and len(data) > 2:
            data = data[:-2]
        self._send(struct.pack("<BBHI", 1, op, len(data), value) + data)

    def _send(self, packet):
        packet = packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
        os.write(self._master, b"\xc0" + packet + b"\xc0")
