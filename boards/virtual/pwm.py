"""The LED PWM of the chip, as far as an LED that blinks needs it: the host sees frequency and duty
of each pin. The timers of S3 and C3 reach 10 Hz at the least, that of an ESP32 1 Hz."""

import struct

_FASTEST = 40000000
_DEFAULT = 5000
_HALF = 32768

_state = _at = _slowest = None


def attach(state, at, chip):
    """Connects the module with the board. at: where in the state file the table is, freq and duty
    for each pin. A reset ends all of it."""
    global _state, _at, _slowest
    _state, _at = state, at
    _slowest = 1 if chip == "ESP32" else 10
    _state.seek(at)
    _state.write(bytes(64 * 6))


def get(pin):
    """Frequency and duty; 0 Hz: the pin has no PWM."""
    _state.seek(_at + 6 * pin)
    return struct.unpack("<IH", _state.read(6))


def put(pin, freq, duty):
    _state.seek(_at + 6 * pin)
    _state.write(struct.pack("<IH", freq, duty))


def check(freq):
    if not 0 < freq <= _FASTEST:
        raise ValueError("frequency must be from 1Hz to 40MHz")
    if freq < _slowest:
        raise ValueError("unreachable frequency %d" % freq)


class Wave:
    """machine.PWM without the pin's own part: machine.py has that."""

    def __init__(self, pin, freq=-1, *, duty_u16=-1):
        self._pin = pin
        self.init(freq, duty_u16=duty_u16)

    def init(self, freq=-1, *, duty_u16=-1):
        now, duty = get(self._pin)
        if freq == -1:
            freq = now or _DEFAULT
        check(freq)
        if duty_u16 == -1:
            duty_u16 = duty if now else _HALF
        if not 0 <= duty_u16 <= 65535:
            raise ValueError("duty_u16 must be from 0 to 65535")
        put(self._pin, freq, duty_u16)

    def freq(self, freq=None):
        if freq is None:
            return self._active()[0]
        self.init(freq)

    def duty_u16(self, duty=None):
        if duty is None:
            return self._active()[1]
        self.init(duty_u16=duty)

    def deinit(self):
        put(self._pin, 0, 0)

    def _active(self):
        found = get(self._pin)
        if not found[0]:
            raise RuntimeError("PWM is inactive")
        return found
