"""Resets, the watchdog, the clock and the pins of the virtual board."""

from textwrap import dedent

import pytest

from flyve_mdm.board.life import DEEP_SLEEP, POWER_ON, RESET, SOFT_RESET, WATCHDOG

HANG_IN_C = """
    import socket
    s = socket.socket()
    s.bind(socket.getaddrinfo("127.0.0.1", 0)[0][-1])
    s.listen(1)
    s.accept()
"""


def test_each_reset_has_its_cause(bench):
    run = bench.run(
        """
        import machine
        memory = machine.RTC().memory()
        step = len(memory)
        machine.RTC().memory(memory + b".")
        print("cause", machine.reset_cause())
        try:
            if step == 0: machine.reset()
            if step == 1: machine.soft_reset()
            if step == 2: machine.deepsleep(20)
            if step == 3: machine.WDT(timeout=50)
        finally:
            if step not in (1, 3): print("finally")
        """
    )
    causes = [line for line in run.log if line.startswith("cause")]
    assert causes == [f"cause {n}" for n in (POWER_ON, RESET, SOFT_RESET, DEEP_SLEEP, WATCHDOG)]
    assert run.resets == [RESET, SOFT_RESET, DEEP_SLEEP, WATCHDOG]
    assert run.log.count("finally") == 1, "only the last boot, without a reset, gets there"
    assert "MPY: soft reboot" in run.log


def test_a_system_exit_is_a_soft_reset(bench):
    run = bench.run("import sys\nsys.exit()", once=True)
    assert run.resets == [SOFT_RESET]


def test_the_watchdog_bites_in_a_c_call(bench):
    run = bench.run("import machine\nmachine.WDT(timeout=100)\n" + dedent(HANG_IN_C), once=True)
    assert run.resets == [WATCHDOG]


def test_a_fed_watchdog_does_not_bite(bench):
    run = bench.run(
        """
        import machine, time
        w = machine.WDT(timeout=150)
        for n in range(30):
            time.sleep_ms(10)
            w.feed()
        for n in range(20000):
            w.feed()
        print("fed")
        """,
        once=True,
    )
    assert "fed" in run.log
    assert run.resets == [WATCHDOG], "at the prompt nobody feeds it"


def test_the_clock_is_unset_at_power_on_and_outlives_a_reset(bench):
    main = """
        import machine, time
        print("now", time.time(), time.gmtime()[0])
        if machine.reset_cause() == 1:
            machine.RTC().datetime((2024, 2, 29, 0, 12, 30, 0, 0))
            print("set", time.time(), time.gmtime(), machine.RTC().datetime()[:7])
            machine.reset()
    """
    board = bench.board(main)
    for _ in range(2):  # the second time the power was off in between
        run = bench.start(board)
        assert run.wait(10) == 0
        assert run.log[0] == "now 0 2000"
        assert run.log[1].startswith(
            "set 762525000 (2024, 2, 29, 12, 30, 0, 3, 60) (2024, 2, 29, 3"
        )
        assert run.wait_log(r"now 76252500\d 2024")


def test_rtc_memory_outlives_a_reset_and_has_its_limit(bench):
    run = bench.run(
        """
        import machine
        rtc = machine.RTC()
        if machine.reset_cause() == 1:
            assert rtc.memory() == b""
            rtc.memory(b"x" * 2048)
            try: rtc.memory(b"x" * 2049)
            except ValueError as e: print(e)
            machine.reset()
        print(len(rtc.memory()), rtc.memory()[-1:])
        """
    )
    assert run.log[:1] == ["buffer too long"]
    assert "2048 b'x'" in run.log


def test_identity_comes_from_the_board(bench):
    board = bench.board("import machine; print(machine.unique_id(), machine.freq())", mac="02" * 6)
    run = bench.start(board)
    assert run.wait_log(r"b'\\x02\\x02\\x02\\x02\\x02\\x02' 160000000")


def test_the_host_sees_outputs_and_presses_boot(bench):
    board = bench.board(
        """
        import time
        from machine import Pin, Signal
        led, button = Pin(2, Pin.OUT, value=1), Pin(0, Pin.IN, Pin.PULL_UP)
        print("ready", button.value(), Pin(5, Pin.IN).value())
        while button(): time.sleep_ms(5)
        led.off()
        print("pressed")
        while not button(): time.sleep_ms(5)
        Signal(led, invert=True).off()
        print("released", led.value())
        """
    )
    run = bench.start(board)
    run.wait_log("ready 1 0")
    assert run.pins[2] == 1
    board.press_boot(0.1)
    run.wait_log("pressed")
    assert run.pins[2] == 0
    run.wait_log("released 1")
    assert run.pins[2] == 1


# A8
@pytest.mark.parametrize(
    ("chip", "outputs", "inputs"),
    [
        ("ESP32", [0, 2, 23, 25, 27, 32, 33], [34, 35, 39]),
        ("ESP32-S3", [0, 18, 21, 26, 33, 38, 48], []),
        ("ESP32-C3", [0, 2, 8, 13, 20, 21], []),
    ],
)
def test_a_chip_has_pins_of_its_own(bench, chip, outputs, inputs):
    board = bench.board(
        """
        from machine import Pin
        found = {}
        for n in range(-1, 64):
            try:
                Pin(n, Pin.IN)
                Pin(n, Pin.OUT, value=1)
                kind = "outputs"
            except ValueError as e:
                kind = str(e)
            found.setdefault(kind, []).append(n)
        for kind in found: print(kind, found[kind])
        """,
        chip=chip,
    )
    run = bench.start(board)
    run.wait(10)
    found = dict(line.rsplit(" [") for line in run.log if line.endswith("]"))
    found = {kind: [int(n) for n in pins[:-1].split(", ")] for kind, pins in found.items()}
    assert set(outputs) <= set(found["outputs"])
    assert set(inputs) <= set(found.get("pin can only be input", []))
    missing = {"ESP32": [-1, 24, 28, 31, 40], "ESP32-S3": [19, 22, 49], "ESP32-C3": [18, 22]}
    assert set(missing[chip]) <= set(found["invalid pin"])


@pytest.mark.parametrize(("chip", "slowest"), [("ESP32", 1), ("ESP32-S3", 10), ("ESP32-C3", 10)])
def test_pwm_goes_on_by_itself_and_is_as_slow_as_the_chip_lets_it(bench, chip, slowest):
    board = bench.board(
        f"""
        from machine import PWM, Pin
        def attempt(what, *args, **more):
            try: what(*args, **more)
            except (ValueError, RuntimeError) as e: print(e)
        attempt(PWM, Pin(2), freq={slowest} - 1, duty_u16=1)
        attempt(PWM, Pin(2), freq={slowest}, duty_u16=65536)
        PWM(Pin(2), freq={slowest}, duty_u16=1000)
        PWM(Pin(5), freq=50)
        PWM(Pin(4))
        w = PWM(Pin(4))
        w.freq(200)
        print(w.freq(), w.duty_u16())
        w.deinit()
        attempt(w.freq)
        print("there")
        while True: pass
        """,
        chip=chip,
    )
    run = bench.start(board)
    run.wait_log("there")
    assert run.log[1:] == [
        "duty_u16 must be from 0 to 65535",
        "200 32768",
        "PWM is inactive",
        "there",
    ]
    assert run.waves == {2: (slowest, 1000), 5: (50, 32768)} and run.pins[2] == 0
    run.reset()
    run.wait_log("there", since=len(run.log))


def test_deep_sleep_takes_its_time_and_the_power_switch_ends_it(bench):
    run = bench.start(bench.board("import machine\nprint('zzz')\nmachine.deepsleep()"))
    run.wait_log("zzz")
    assert run.stop() == 0


def test_days_pass_without_waiting_for_ticks_and_clock_and_the_clock_is_unset_when_cold(bench):
    board = bench.board(
        """
        import machine, time
        pin = machine.Pin(0, machine.Pin.IN)
        print("at", machine.reset_cause(), time.time() // 3600)
        up, last = 0, time.ticks_ms()
        while up < 13 * 86400000 and machine.reset_cause() == 1:
            pin.value()
            now = time.ticks_ms()
            up += time.ticks_diff(now, last)
            last = now
        if up:
            print("passed", up // 3600000, time.time() // 3600)
            machine.reset()
        """
    )
    board.pass_time(1e6)
    run = bench.start(board)
    run.wait_log("at 1 0")
    board.pass_time(13 * 86400)
    run.wait_log("passed 312 312")
    run.wait_log("at 2 312")


def test_ticks_wrap_after_a_minute_and_differences_survive_it(bench):
    run = bench.run(
        """
        import time
        PERIOD = 1 << 30
        ms, us = time.ticks_ms(), time.ticks_us()
        assert PERIOD - 60000 <= ms < PERIOD - 59000, ms
        assert PERIOD - 60000000 <= us < PERIOD - 59000000, us
        later = time.ticks_add(ms, 90000)
        assert 0 < later < 40000
        assert time.ticks_diff(later, ms) == 90000
        assert time.ticks_diff(ms, later) == -90000
        for delta in (PERIOD // 2, -PERIOD // 2):
            try: time.ticks_add(0, delta); print("no error")
            except OverflowError: pass
        import utime
        assert utime is time
        for date in ((2000, 1, 1), (2000, 2, 29), (2023, 12, 31), (2024, 3, 1), (2099, 12, 31)):
            t = time.mktime(date + (1, 2, 3, 0, 0))
            assert time.gmtime(t)[:6] == date + (1, 2, 3), date
        assert time.mktime((2000, 1, 1, 0, 0, 0, 0, 0)) == 0
        overflown = time.mktime((2023, 14, 32, 0, 0, 0, 0, 0))
        assert overflown == time.mktime((2024, 3, 3, 0, 0, 0, 0, 0))
        assert len(time.localtime()) == 8 and isinstance(time.time(), int)
        print("ok")
        """
    )
    assert run.log[0] == "ok", run.log


@pytest.mark.exact
# As on an ESP32, where whoever takes it for what is free believes that the heap is far larger.
def test_gc_counts_the_heap_of_the_firmware_and_what_esp_idf_could_still_give(bench):
    run = bench.run(
        """
        import esp32, gc
        largest = max([region[2] for region in esp32.idf_heap_info(esp32.HEAP_DATA)])
        gc.collect()
        used, free = gc.mem_alloc(), gc.mem_free()
        some = bytearray(10000)
        print("heap", used, used + free - largest, gc.mem_alloc() - used, free - gc.mem_free())
        """,
        heap="80K",
    )
    used, size, more, less = map(int, run.log[0].split()[1:])
    assert 0 < used < 4096
    assert size == 80 * 1024
    assert 10_000 <= more < 11_000 and less == more
