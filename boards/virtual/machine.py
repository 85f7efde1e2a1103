"""`machine` as on an ESP32, as far as a headless agent needs it.

reset(), deepsleep() and the watchdog end the process; the supervisor starts it again.
What the unix port's own module has (Signal, PinBase, mem8...) stays.
"""

import struct
import time

import pwm
import utime as _host
from umachine import *  # noqa: F403
from umachine import PinBase

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5
PIN_WAKE = EXT0_WAKE = 2
EXT1_WAKE, TIMER_WAKE = 3, 4

# Layout of the state file: counters, RTC offset, 64 pins, length and data of the RTC memory, and
# frequency and duty of what PWM drives.
_RTC, _PINS, _MEMORY = 56, 64, 128
_MEMORY_MAX = 2048
_WAVES = _MEMORY + 2 + _MEMORY_MAX

# The GPIOs of each chip, from-to, as MicroPython's stock images have them, and the first one that
# is an input only.
_GPIOS = {
    "ESP32": (((0, 23), (25, 27), (32, 39)), 34),
    "ESP32-S3": (((0, 18), (21, 21), (26, 26), (33, 48)), 99),
    "ESP32-C3": (((0, 13), (20, 21)), 99),
}
_OUTPUT = 2  # this bit of a mode

_power = _state = _inputs = _board = None


def attach(power, state, inputs, board):
    """Connects the module with the board; the launcher calls it."""
    global _power, _state, _inputs, _board
    _power, _state, _inputs, _board = power, state, inputs, board
    ahead = inputs.get().get("ahead_ms", 0)
    time.begin(ahead)
    if board["cause"] == PWRON_RESET:
        _save_rtc(_load_rtc() - ahead * 1000000)  # the clock is unset however much has passed
    time.attach(time.Clock(_load_rtc, _save_rtc))
    pwm.attach(state, _WAVES, board.get("chip", "ESP32"))


def unique_id():
    return bytes.fromhex(_board["mac"])


def reset_cause():
    return _board["cause"]


def wake_reason():
    return TIMER_WAKE if _board["cause"] == DEEPSLEEP_RESET else 0


def reset():
    _power.halt(b"R 2\n")


def deepsleep(time_ms=None):
    _power.halt(b"R 4\n" if time_ms is None else b"R 4 %d\n" % time_ms)


def lightsleep(time_ms=0):
    time.sleep_ms(time_ms)


def soft_reset():
    raise SystemExit


def bootloader(timeout=0):
    raise ValueError("a virtual board has no bootloader mode")


def freq(hz=None):
    if hz is None:
        return _board["freq"]
    if hz // 1000000 not in (20, 40, 80, 160, 240):
        raise ValueError("frequency must be 20MHz, 40MHz, 80Mhz, 160MHz or 240MHz")
    _board["freq"] = hz


def flash_reads():
    """How often flash was read since power on: what no chip tells."""
    return _power.reads


def disable_irq():
    return 0


def enable_irq(state):
    pass


class WDT:
    """The watchdog: the supervisor kills the process when no feed comes in time."""

    def __init__(self, id=0, timeout=5000):
        if id != 0:
            raise ValueError
        if timeout <= 0:
            raise ValueError("WDT timeout too short")
        _power.tell(b"W %d\n" % timeout)

    def feed(self):
        _power.tell(b"F\n")


class RTC:
    """The real time clock. It and its memory outlive a reset, not a loss of power."""

    def datetime(self, date=None):
        if date is None:
            ns = time.time_ns()
            y, mo, d, h, mi, s, wd, _ = time.gmtime(ns // 1000000000)
            return y, mo, d, wd, h, mi, s, ns % 1000000000 // 1000
        y, mo, d, _, h, mi, s, us = date
        _set(y, mo, d, h, mi, s, us)

    def init(self, date):
        y, mo, d, h, mi, s, _, us = date
        _set(y, mo, d, h, mi, s, us)

    def memory(self, data=None):
        _state.seek(_MEMORY)
        if data is None:
            size = struct.unpack("<H", _state.read(2))[0]
            return _state.read(size)
        if len(data) > _MEMORY_MAX:
            raise ValueError("buffer too long")
        _state.write(struct.pack("<H", len(data)))
        _state.write(data)


def _set(y, mo, d, h, mi, s, us):
    seconds = time.mktime((y, mo, d, h, mi, s, 0, 0))
    time._clock.set(seconds * 1000000000 + us * 1000)


def _load_rtc():
    _state.seek(_RTC)
    return struct.unpack("<q", _state.read(8))[0]


def _save_rtc(offset):
    _state.seek(_RTC)
    _state.write(struct.pack("<q", offset))


class Pin(PinBase):
    """A GPIO. What an output drives is visible to the host; the input of the BOOT button is
    low while the host presses it, all other inputs follow their pull."""

    IN, OUT, OPEN_DRAIN = 1, 3, 7
    PULL_DOWN, PULL_UP = 1, 2
    IRQ_RISING, IRQ_FALLING = 1, 2

    def __init__(self, id, mode=-1, pull=-1, *, value=None, drive=0, hold=None):
        if isinstance(id, Pin):
            id = id._id
        ranges, self._inputs_from = _GPIOS[_board.get("chip", "ESP32")]
        if not isinstance(id, int) or not any(low <= id <= high for low, high in ranges):
            raise ValueError("invalid pin")
        self._id, self._mode, self._pull, self._byte = id, self.IN, None, bytearray(1)
        self.init(mode, pull, value=value)

    def init(self, mode=-1, pull=-1, *, value=None, drive=0, hold=None):
        if mode not in (-1, None):
            if mode & _OUTPUT and self._id >= self._inputs_from:
                raise ValueError("pin can only be input")
            self._mode = mode
        if pull != -1:
            self._pull = pull
        if value is not None:
            self.value(value)

    def value(self, value=None):
        if value is not None:
            self._byte[0] = 1 if value else 0
            _state.seek(_PINS + self._id)
            _state.write(self._byte)
        elif self._mode != self.IN:
            _state.seek(_PINS + self._id)
            _state.readinto(self._byte)
            return self._byte[0] & 1
        elif self._id == _board["boot_pin"]:
            until = _inputs.get().get("boot_until", 0)
            return 0 if until and _host.time_ns() // 1000000 < until else 1
        else:
            return 1 if self._pull == self.PULL_UP else 0

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def toggle(self):
        self.value(not self.value())

    def __repr__(self):
        return "Pin(%d)" % self._id


class PWM(pwm.Wave):
    """PWM on a GPIO, which only deinit() gives back: on a chip a Pin there drives it, too, but
    then no later PWM does."""

    def __init__(self, dest, freq=-1, *, duty_u16=-1, invert=False):
        self._dest = dest if isinstance(dest, Pin) else Pin(dest)
        if self._dest._id >= self._dest._inputs_from:
            raise ValueError("PWM not supported on Pin(%d)" % self._dest._id)
        super().__init__(self._dest._id, freq, duty_u16=duty_u16)
        self._dest.value(0)
