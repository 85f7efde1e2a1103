"""The board: the only importer of esp32, machine and network; jobs/board_facts.py has what only
some jobs need."""

import esp32
import machine
import network

_NOT_FOUND = -0x1102  # ESP_ERR_NVS_NOT_FOUND
_INVALID_LENGTH = -0x110C  # ESP_ERR_NVS_INVALID_LENGTH: the buffer is too small

IDLE = network.STAT_IDLE
CONNECTING = network.STAT_CONNECTING

_nvs = None
_wdt = None


def _open():
    # Not at the import: an NVS that others have filled refuses a new namespace.
    global _nvs
    if _nvs is None:
        _nvs = esp32.NVS("flyve")
    return _nvs


def nvs_get(key):
    """The blob of at most 4 KiB stored under key (15 characters at most), or None."""
    for bits in range(7, 13):  # the length cannot be asked for: at most twice as much is taken
        size = 1 << bits
        buf = bytearray(size)
        try:
            return bytes(memoryview(buf)[: _open().get_blob(key, buf)])
        except OSError as e:
            if e.errno == _NOT_FOUND:
                return None
            if e.errno != _INVALID_LENGTH or size == 4096:
                raise


def nvs_set(key, blob):
    """Makes blob durable under key: after a power cut the old or the new value is there."""
    _open().set_blob(key, blob)
    _nvs.commit()


def nvs_erase(key):
    """Removes key for good; it need not exist."""
    try:
        _open().erase_key(key)
    except OSError as e:
        if e.errno != _NOT_FOUND:
            raise
        return
    _nvs.commit()


def nvs_get_int(key):
    """The integer stored under key, or None."""
    try:
        return _open().get_i32(key)
    except OSError as e:
        if e.errno == _NOT_FOUND:
            return None
        raise


def nvs_set_int(key, value):
    """Makes the integer durable under key."""
    _open().set_i32(key, value)
    _nvs.commit()


def wlan():
    """The station interface, switched on, with the driver's own reconnecting switched off."""
    sta = network.WLAN(network.STA_IF)
    sta.active(True)
    try:
        sta.config(reconnects=0)
    except (OSError, ValueError):
        pass  # firmware without that parameter reconnects by itself; wifi.py copes with both
    return sta


def watchdog(ms):
    """Starts the hardware watchdog, or changes its time; it cannot be stopped."""
    global _wdt
    _wdt = machine.WDT(timeout=ms)


def feed():
    """Tells the watchdog that the agent is alive."""
    if _wdt:
        _wdt.feed()


def reset(wanted=False):
    """Restarts the board; wanted: boot.py, which cannot tell, is not to count it as a crash."""
    if wanted:
        try:
            nvs_set_int("crashes", (nvs_get_int("crashes") or 0) - 1)
        except OSError:
            pass
    machine.reset()
