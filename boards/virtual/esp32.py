"""`esp32` as on an ESP32: NVS, partitions, OTA slots."""

import struct

import nvs_store
import ota

HEAP_DATA, HEAP_EXEC = 4, 1
WAKEUP_ALL_LOW, WAKEUP_ANY_HIGH = False, True

_ENOENT, _EINVAL = 2, 22
_ESP_FAIL = 1, "ESP_FAIL"
_ESP_ERR_INVALID_ARG = 0x102, "ESP_ERR_INVALID_ARG"
_ESP_ERR_INVALID_SIZE = 0x104, "ESP_ERR_INVALID_SIZE"
_ESP_ERR_NOT_FOUND = 0x105, "ESP_ERR_NOT_FOUND"
_OTA_VALIDATE_FAILED = 0x1503, "ESP_ERR_OTA_VALIDATE_FAILED"
_CHIP = 0  # ESP32
_CIPHER = 16  # bytes of which an encrypted partition takes a multiple

_store = _devices = _table = _slot = _slots = _otadata = None


def attach(store, devices, table, slot):
    """Connects the module with the board; the launcher calls it.

    `table` lists the partitions as Partition.info() shows them, `devices` has what is behind
    them by label, `slot` is the label of the running one.
    """
    global _store, _devices, _table, _slot, _slots, _otadata
    _store, _devices, _table, _slot = store, devices, table, slot
    _slots = [row[4] for row in table if row[4].startswith("ota_")]
    if _slots:
        _otadata = ota.Otadata(devices["otadata"], len(_slots))


def raw_temperature():
    return 128


def mcu_temperature():
    return 53


def idf_heap_info(capabilities):
    # Total, free, largest free block, lowest free so far: a board after Wi-Fi has started.
    return [(113840, 94208, 94208, 65536), (15072, 14264, 13312, 14264)]


class NVS:
    """One namespace of the non-volatile storage. Errors as the real module raises them."""

    def __init__(self, namespace):
        nvs_store.name(namespace, "-")
        self._namespace = namespace

    def set_i32(self, key, value):
        if not -0x80000000 <= value <= 0x7FFFFFFF:
            raise OverflowError("overflow converting long int to machine word")
        _store.put(self._name(key), nvs_store.I32, struct.pack("<i", value))

    def get_i32(self, key):
        value = bytearray(4)
        _store.get(self._name(key), nvs_store.I32, value)
        return struct.unpack("<i", value)[0]

    def set_blob(self, key, value):
        _store.put(self._name(key), nvs_store.BLOB, value)

    def get_blob(self, key, buffer):
        return _store.get(self._name(key), nvs_store.BLOB, buffer)

    def erase_key(self, key):
        _store.erase(self._name(key))

    def commit(self):
        _store.commit()

    def _name(self, key):
        return nvs_store.name(self._namespace, key)


class Partition:
    """A partition. An application image is accepted, but a virtual board goes on running
    the interpreter that it runs: only the boot loader's decision is simulated."""

    BOOT, RUNNING = 0, 1
    TYPE_APP, TYPE_DATA = 0, 1

    def __init__(self, id, block_size=4096):
        if id == self.RUNNING or (id == self.BOOT and not _slots):
            id = _slot
        elif id == self.BOOT:
            id = _slots[max(0, _otadata.slot())]
        elif isinstance(id, int):
            raise ValueError
        for row in _table:
            if row[4] == id:
                self._info, self._block_size = row, block_size
                return
        raise OSError(_ENOENT)

    @staticmethod
    def find(type=TYPE_APP, subtype=0xFF, label=None, block_size=4096):
        found = []
        for row in _table:
            if row[0] == type and subtype in (0xFF, row[1]) and label in (None, row[4]):
                found.append(Partition(row[4], block_size))
        return found

    def info(self):
        return self._info

    def readblocks(self, block, buf, offset=0):
        self._device().read(self._at(block, offset, len(buf)), buf)

    def writeblocks(self, block, buf, offset=None):
        if self._block_size != 4096:
            raise OSError(_EINVAL)
        at = self._at(block, offset or 0, len(buf))
        if offset is None and len(buf) % 4096:
            raise nvs_store.error(_ESP_ERR_INVALID_SIZE)
        if self._info[5] and at % _CIPHER:
            raise nvs_store.error(_ESP_ERR_INVALID_ARG)
        if self._info[5] and len(buf) % _CIPHER:
            raise nvs_store.error(_ESP_ERR_INVALID_SIZE)
        self._device().writeblocks(block, buf, offset)

    def ioctl(self, op, arg):
        if op == 6 and self._block_size != 4096:
            return -_EINVAL
        if op == 5:
            return self._block_size
        if op == 4:
            return self._info[3] // self._block_size
        if op == 6:
            self._at(arg, 0, 4096)
        return self._device().ioctl(op, arg)

    def set_boot(self):
        if not _slots:
            raise nvs_store.error(_ESP_ERR_NOT_FOUND)
        try:
            ota.verify(self._device(), _CHIP)
        except ota.ImageError:
            raise nvs_store.error(_OTA_VALIDATE_FAILED)
        _otadata.choose(_slots.index(self._info[4]))

    def get_next_update(self):
        if not _slots:
            raise OSError(_ENOENT)
        return Partition(_slots[(_slots.index(_slot) + 1) % len(_slots)])

    @classmethod
    def mark_app_valid_cancel_rollback(cls):
        if not _slots:
            raise nvs_store.error(_ESP_ERR_NOT_FOUND)
        active = _otadata.active()
        if active < 0:
            raise nvs_store.error(_ESP_FAIL)
        if _otadata.entry(active)[1] != ota.VALID:
            _otadata.mark(active, ota.VALID)

    def _at(self, block, offset, size):
        at = block * self._block_size + offset
        if not 0 <= at <= self._info[3]:
            raise nvs_store.error(_ESP_ERR_INVALID_ARG)
        if at + size > self._info[3]:
            raise nvs_store.error(_ESP_ERR_INVALID_SIZE)
        return at

    def _device(self):
        if self._info[4] not in _devices:
            raise OSError(_EINVAL)
        return _devices[self._info[4]]

    def __repr__(self):
        return "<Partition type=%d, subtype=%d, address=%d, size=%d, label=%s, encrypted=%d>" % (
            self._info
        )
