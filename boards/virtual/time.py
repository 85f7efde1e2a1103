"""`time` as on an ESP32: epoch 2000, whole seconds, a clock that is unset at a cold boot.

Ticks have 30 bits and start one minute before they wrap, so that every run crosses a wrap.
A test can let time pass without waiting (`ahead_ms` of inputs.json): ticks and clock then move on
in steps when the firmware looks at its Wi-Fi or its button. Sleeping and polling
are as long as ever. The TLS library inside the interpreter uses the host's real clock, not this
one: whether a certificate is valid now is judged by that.
"""

import utime as _host

_PERIOD = 1 << 30
_UNIX_2000 = 946684800
_MINUTE = 60000
_STEP = 48 * 3600000  # ms: some of them fit into the 6.2 days that ticks_diff() can tell
_PAUSE = 5  # ms of the host's time: the firmware goes round its loop between two steps

sleep = _host.sleep
sleep_ms = _host.sleep_ms
sleep_us = _host.sleep_us

_ms0 = _host.ticks_ms() + _MINUTE
_us0 = _host.ticks_us() + _MINUTE * 1000
_clock = None
_ahead = 0  # ms that have passed besides the host's
_stepped = 0


class Clock:
    """The RTC: its distance from the host's clock is in the state file, which outlives a reset."""

    def __init__(self, load, save):
        self._save = save
        self._offset = load()

    def ns(self):
        """Nanoseconds since 2000."""
        return _host.time_ns() + _ahead * 1000000 + self._offset

    def set(self, ns):
        self._offset = ns - _host.time_ns() - _ahead * 1000000
        self._save(self._offset)


def attach(clock):
    """Connects the module with the board's RTC; the launcher calls it."""
    global _clock
    _clock = clock


def begin(ms):
    """The board starts, so many ms ahead of the host."""
    global _ahead, _ms0, _us0
    _ahead = ms
    _ms0 += ms
    _us0 += ms * 1000


def pass_on(ms):
    """Moves ticks and clock a step further, up to so many ms ahead of the host."""
    global _ahead, _stepped
    now = _host.ticks_ms()
    if ms > _ahead and not 0 <= _host.ticks_diff(now, _stepped) < _PAUSE:
        _ahead += min(ms - _ahead, _STEP)
        _stepped = now
        if _ahead == ms:
            print("board: %d s ahead" % (ms // 1000))


def time():
    return _clock.ns() // 1000000000


def time_ns():
    return _clock.ns()


def gmtime(seconds=None):
    seconds = time() if seconds is None else int(seconds)
    return _host.gmtime(seconds + _UNIX_2000)[:8]


localtime = gmtime


def mktime(date):
    if not 8 <= len(date) <= 9:
        raise TypeError("mktime needs a tuple of length 8 or 9")
    year, month, day, hour, minute, second = date[:6]
    year += (month - 1) // 12
    month = (month - 1) % 12 + 1
    # Years that begin in March: a leap day is then the last day of its year.
    if month < 3:
        year, month = year - 1, month + 12
    days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * month - 457) // 5 + day
    return ((days - 730426) * 24 + hour) * 3600 + minute * 60 + second


def ticks_ms():
    return (_host.ticks_ms() + _ahead - _ms0) & (_PERIOD - 1)


def ticks_us():
    return (_host.ticks_us() + _ahead * 1000 - _us0) & (_PERIOD - 1)


ticks_cpu = ticks_us


def ticks_add(ticks, delta):
    if not -_PERIOD // 2 < delta < _PERIOD // 2:
        raise OverflowError("ticks interval overflow")
    return (ticks + delta) & (_PERIOD - 1)


def ticks_diff(end, start):
    return ((end - start + _PERIOD // 2) & (_PERIOD - 1)) - _PERIOD // 2
