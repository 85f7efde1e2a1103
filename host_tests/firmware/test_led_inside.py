# What the LED shows: by PWM, and a lock goes before all of it.

import sys

import machine

from flyve import log
from flyve.jobs import led, nvs

BOARD = True
PIN = 2
pwm = machine.pwm

lines = []
log.sink = lambda line: lines.append(line.split(" ", 2)[2])


def level(pin=PIN):
    return machine.Pin(pin).value()


def start(pin=PIN, locked=False):
    lines.clear()
    led.begin(pin, locked)


def wave(pin=PIN):
    often, duty = pwm.get(pin)
    return often, (duty * 100 + 32767) // 65535


def test_each_case_has_a_pattern_of_its_own():
    start()
    for name, often, lit in led.PATTERNS:
        led.show(name)
        if often:
            assert wave() == (often, lit), name
        else:
            assert wave()[0] == 0, name
            machine.Pin(PIN, machine.Pin.OUT)
            assert machine.Pin(PIN, machine.Pin.OUT).value() == lit // 100, name
    assert len({(often, lit) for _, often, lit in led.PATTERNS}) == len(led.PATTERNS)


def test_a_start_shows_that_it_joins():
    start()
    assert wave() == (5, 50)


def test_a_lock_goes_before_everything_and_outlives_a_start():
    start()
    led.lock(True)
    for name in ("joining", "online", "trouble", "setup", "off"):
        led.show(name)
        assert wave()[0] == 0 and machine.Pin(PIN, machine.Pin.OUT).value() == 1
    start(locked=True)
    assert wave()[0] == 0 and machine.Pin(PIN, machine.Pin.OUT).value() == 1
    led.lock(False)
    assert wave() == (1, 4)


def test_without_an_led_nothing_is_driven_nor_kept():
    start()
    start(None)
    assert nvs.get_int("led") is None
    machine.PWM(machine.Pin(PIN)).deinit()
    led.show("online")
    led.lock(True)
    assert wave()[0] == 0


def test_an_input_only_pin_is_named_and_left_alone():
    start(34)
    assert lines == ["config: led: GPIO 34 is no output of this chip (pin can only be input)"]
    assert nvs.get_int("led") is None


def test_the_flash_is_written_only_when_something_changes():
    start()
    sets = []
    former = nvs.put_int
    led.nvs.put_int = lambda *pair: sets.append(pair)
    try:
        start()
        for name in ("online", "trouble", "joining"):
            led.show(name)
        assert sets == []
    finally:
        led.nvs.put_int = former


def test_a_chip_whose_timers_count_too_fast_blinks_as_slowly_as_it_can():
    start()
    slowest, pwm._slowest = pwm._slowest, led.SLOWEST
    try:
        for name, often, lit in led.PATTERNS:
            led.show(name)
            if often:
                assert wave() == (led.SLOWEST, lit), name
    finally:
        pwm._slowest = slowest


def test_an_interpreter_without_pwm_leaves_the_led_alone():
    start()
    kept = machine.PWM
    del machine.PWM
    try:
        led.show("trouble")
    finally:
        machine.PWM = kept
    led.show("trouble")
    assert wave() == (1, 90)


class Starved:
    """Stands for the module when there is no memory for it."""

    def show(self, what):
        raise MemoryError

    def show_alone(self, what):
        raise MemoryError


class Part:
    """As much of the agent, of Online and of the link as mending.py asks of them."""

    part = "link"
    pressed = up = False
    settings = {"led": PIN}

    def __init__(self):
        self.ill = {}
        self.online = self.link = self
        self.dropped = False

    def drop(self, e):
        self.dropped = True


def test_a_fault_is_mended_without_the_memory_for_the_led():
    from flyve import jobs
    from flyve.jobs import mending

    sys.modules["flyve.jobs.led"] = jobs.led = Starved()
    try:
        agent = Part()
        mending.mend(agent, OSError(5))
        assert agent.dropped
    finally:
        sys.modules["flyve.jobs.led"] = jobs.led = led


def test_an_enrollment_goes_on_without_the_memory_for_the_led():
    from flyve import jobs
    from flyve.jobs import enrollment

    sys.modules["flyve.jobs.led"] = jobs.led = Starved()
    try:
        enrollment._light(Part(), "trouble")
    finally:
        sys.modules["flyve.jobs.led"] = jobs.led = led
