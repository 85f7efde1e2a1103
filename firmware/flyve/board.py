"""The board: the only importer of esp32, machine and network."""

import binascii
import hashlib
import sys

import esp32
import machine
import network

_NOT_FOUND = -0x1102  # ESP_ERR_NVS_NOT_FOUND
_INVALID_LENGTH = -0x110C  # ESP_ERR_NVS_INVALID_LENGTH: the buffer is too small
_CAUSES = {1: "power-on", 2: "reset", 3: "watchdog", 4: "deep sleep", 5: "soft reset"}

IDLE = network.STAT_IDLE
CONNECTING = network.STAT_CONNECTING

_nvs = esp32.NVS("flyve")
_wdt = None


def nvs_get(key):
    """The blob of at most 4 KiB stored under key (15 characters at most), or None."""
    for size in (1024, 2048, 4096):
        buf = bytearray(size)
        try:
            return bytes(memoryview(buf)[: _nvs.get_blob(key, buf)])
        except OSError as e:
            if e.errno == _NOT_FOUND:
                return None
            if e.errno != _INVALID_LENGTH or size == 4096:
                raise


def nvs_set(key, blob):
    """Makes blob durable under key: after a power cut the old or the new value is there."""
    _nvs.set_blob(key, blob)
    _nvs.commit()


def nvs_erase(key):
    """Removes key for good; it need not exist."""
    try:
        _nvs.erase_key(key)
    except OSError as e:
        if e.errno != _NOT_FOUND:
            raise
        return
    _nvs.commit()


def nvs_get_int(key):
    """The integer stored under key, or None."""
    try:
        return _nvs.get_i32(key)
    except OSError as e:
        if e.errno == _NOT_FOUND:
            return None
        raise


def nvs_set_int(key, value):
    """Makes the integer durable under key."""
    _nvs.set_i32(key, value)
    _nvs.commit()


def bluetooth_off():
    """Switches the Bluetooth radio off; False when the board has none."""
    try:
        import bluetooth
    except ImportError:
        return False
    bluetooth.BLE().active(False)
    return True


def wlan():
    """The station interface, switched on, with the driver's own reconnecting switched off."""
    sta = network.WLAN(network.STA_IF)
    sta.active(True)
    try:
        sta.config(reconnects=0)
    except (OSError, ValueError):
        pass  # firmware without that parameter reconnects by itself; wifi.py copes with both
    return sta


def led(pin, on):
    """Drives the LED at that GPIO."""
    machine.Pin(pin, machine.Pin.OUT, value=1 if on else 0)


def button(pin=None):
    """A function that is true while the button at that GPIO (default: BOOT) is held."""
    if pin is None:
        pin = 9 if "ESP32C" in model().upper().replace("-", "") else 0
    value = machine.Pin(pin, machine.Pin.IN, machine.Pin.PULL_UP).value
    return lambda: not value()


def erase_nvs():
    """Erases the NVS partition, old copies included; nothing but a reset may follow."""
    for partition in esp32.Partition.find(esp32.Partition.TYPE_DATA, label="nvs"):
        for block in range(partition.ioctl(4, 0)):
            feed()
            partition.ioctl(6, block)


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
        nvs_set_int("crashes", (nvs_get_int("crashes") or 0) - 1)
    machine.reset()


def reset_cause():
    """Why the board started, as a text."""
    return _CAUSES.get(machine.reset_cause(), "unknown")


def set_clock(moment):
    """Sets the RTC; moment: (year, month, day, hour, minute, second) in UTC."""
    year, month, day, hour, minute, second = moment
    machine.RTC().datetime((year, month, day, 0, hour, minute, second, 0))


def mac():
    """The factory MAC as 12 hex digits, in capitals."""
    return binascii.hexlify(machine.unique_id()).decode().upper()


def serial():
    """The serial number that the backend knows the board by, unless the settings say another."""
    return "ESP32-" + mac()


def uuid():
    """A UUID (version 8) that is the same for the board's whole life."""
    digest = bytearray(hashlib.sha256(b"flyve-mdm-esp32" + machine.unique_id()).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    h = binascii.hexlify(digest).decode().upper()
    return "-".join((h[:8], h[8:12], h[12:16], h[16:20], h[20:]))


def model():
    """What the board says it is, e.g. "Generic ESP32 module with ESP32"."""
    return getattr(sys.implementation, "_machine", "ESP32")


def frequency():
    """The processor's clock in MHz."""
    return machine.freq() // 1000000


def running():
    """The partition that the firmware runs from, an esp32.Partition."""
    return esp32.Partition(esp32.Partition.RUNNING)
