"""What only some jobs need of the board: its identity, button and clock, the partitions."""

import binascii
import gc
import hashlib
import sys

from flyve import board, log
from flyve.board import esp32, machine

_CAUSES = {1: "power-on", 2: "reset", 3: "watchdog", 4: "deep sleep", 5: "soft reset"}


def bluetooth_off():
    """Switches the Bluetooth radio off; False when the board has none."""
    try:
        import bluetooth
    except ImportError:
        return False
    bluetooth.BLE().active(False)
    return True


def button(pin=None):
    """A function that returns 0 while the button at that GPIO (default: BOOT) is held, else 1."""
    boot = 9 if "ESP32C" in model().upper().replace("-", "") else 0
    for one in (boot if pin is None else pin, boot):
        try:
            return machine.Pin(one, machine.Pin.IN, machine.Pin.PULL_UP).value
        except (ValueError, OSError) as e:
            log.error("config", "button: GPIO %d is no input of this chip (%s)", one, e)
    return lambda: 1


def erase_nvs():
    """Erases the NVS partition, old copies included; nothing but a reset may follow."""
    for partition in esp32.Partition.find(esp32.Partition.TYPE_DATA, label="nvs"):
        for block in range(partition.ioctl(4, 0)):
            board.feed()
            partition.ioctl(6, block)


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


def heap():
    """What is in use of the heap as it stands, and its size; what is free of ESP-IDF's heap, and
    the largest block there. In bytes."""
    used, left = gc.mem_alloc(), gc.mem_free()
    regions = esp32.idf_heap_info(esp32.HEAP_DATA)
    largest = max([region[2] for region in regions])
    # gc.mem_free() counts that block, too: the heap could still take it.
    return used, used + left - largest, sum([region[1] for region in regions]), largest


def frequency():
    """The processor's clock in MHz."""
    return machine.freq() // 1000000


def running():
    """The partition that the firmware runs from, an esp32.Partition."""
    return esp32.Partition(esp32.Partition.RUNNING)
