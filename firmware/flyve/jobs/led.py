"""What the LED tells. It blinks by the chip's own PWM, so that no code stays for it, and by
numbers that NVS has, so that each job can say what is the case; a lock goes before all of it."""

from micropython import const

from flyve import board, log
from flyve.jobs import nvs

# What is the case, how often the LED blinks in a second, and for how much of that time it is
# lit, in %. 0 times: it does not blink.
PATTERNS = const((
    ("setup", 1, 50),
    ("joining", 5, 50),
    ("online", 1, 4),
    ("trouble", 1, 90),
    ("locked", 0, 100),
    ("off", 0, 0),
))  # fmt: skip
# What each chip can do: the timers of S3 and C3 count too fast for less.
SLOWEST = const(10)
_KEY = const("led")  # in NVS: the GPIO, and this while it is locked
_LOCKED = const(256)


def begin(pin, locked):
    """At the start. pin: the setting, or None; locked: by a command."""
    wanted = None if pin is None else pin | _LOCKED * locked
    if pin is not None:
        try:
            board.machine.Pin(pin, board.machine.Pin.OUT, value=locked)
        except (ValueError, OSError) as e:
            log.error("config", "led: GPIO %d is no output of this chip (%s)", pin, e)
            wanted = None
    _keep(wanted)
    show("joining")


def lock(on):
    """A command locks the board, or unlocks it."""
    kept = nvs.get_int(_KEY)
    if kept is not None:
        _keep(kept % _LOCKED | _LOCKED * on)
        show("online")


def show(what):
    """Shows what is the case, a name of PATTERNS, unless the board is locked. Raises nothing."""
    try:
        kept = nvs.get_int(_KEY)
        if kept is not None:
            _drive(kept % _LOCKED, what if kept < _LOCKED else "locked")
    except (OSError, ValueError, RuntimeError, AttributeError) as e:
        # A pin that others use, or an interpreter without PWM.
        log.debug("config", "led: %r", e)


def show_alone(what):
    """The same, but while the set-up page is open the LED tells of that."""
    network = board.network
    if not network.WLAN(network.AP_IF).active():
        show(what)


def _keep(wanted):
    if nvs.get_int(_KEY) != wanted:
        if wanted is None:
            nvs.erase(_KEY)
        else:
            nvs.put_int(_KEY, wanted)


def _drive(pin, what):
    machine = board.machine
    often, lit = next(row[1:] for row in PATTERNS if row[0] == what)
    if often:
        for each in (often, SLOWEST):
            try:
                machine.PWM(machine.Pin(pin), freq=each, duty_u16=lit * 65535 // 100)
                return
            except (ValueError, RuntimeError, OSError):
                if each == SLOWEST:
                    raise
    # The pin is not given back by a Pin alone: a later PWM would not reach it.
    machine.PWM(machine.Pin(pin)).deinit()
    machine.Pin(pin, machine.Pin.OUT, value=lit > 50)
