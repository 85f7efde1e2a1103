"""What is kept in NVS, each value by a key of at most 15 characters."""

from flyve import board

_NOT_FOUND = -0x1102  # ESP_ERR_NVS_NOT_FOUND
_INVALID_LENGTH = -0x110C  # ESP_ERR_NVS_INVALID_LENGTH: the buffer is too small


def get(key):
    """The blob of at most 4 KiB stored under key, or None."""
    for bits in range(7, 13):  # the length cannot be asked for: at most twice as much is taken
        size = 1 << bits
        buf = bytearray(size)
        try:
            return bytes(memoryview(buf)[: board.nvs().get_blob(key, buf)])
        except OSError as e:
            if e.errno == _NOT_FOUND:
                return None
            if e.errno != _INVALID_LENGTH or size == 4096:
                raise


def put(key, blob):
    """Makes blob durable under key: after a power cut the old or the new value is there."""
    nvs = board.nvs()
    nvs.set_blob(key, blob)
    nvs.commit()


def erase(key):
    """Removes key for good; it need not exist."""
    nvs = board.nvs()
    try:
        nvs.erase_key(key)
    except OSError as e:
        if e.errno != _NOT_FOUND:
            raise
        return
    nvs.commit()


def get_int(key):
    """The integer stored under key, or None."""
    try:
        return board.nvs().get_i32(key)
    except OSError as e:
        if e.errno == _NOT_FOUND:
            return None
        raise


def put_int(key, value):
    """Makes the integer durable under key."""
    nvs = board.nvs()
    nvs.set_i32(key, value)
    nvs.commit()
