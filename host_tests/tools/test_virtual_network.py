"""The station: its states, and an air that changes while the board runs."""

PRELUDE = """
import network, time
w = network.WLAN(network.STA_IF)
w.active(True)
def until(status):
    for _ in range(400):
        if w.status() == status:
            print("status", status, w.isconnected())
            return
        time.sleep_ms(5)
    print("never", status, w.status())
def attempt(what, *args):
    try: what(*args)
    except OSError as e: print("OSError", e)
"""


AIR = {"flyve": "flyve-demo"}


def started(bench, main, aps=AIR, **air):
    board = bench.board(PRELUDE + main)
    board.set_air(aps, **{"connect_ms": 20, "scan_ms": 20, **air})
    return bench.start(board)


def test_it_joins_a_network(bench):
    run = started(
        bench,
        """
print(w.status(), w.ifconfig()[0])
w.connect("flyve", "flyve-demo")
print(w.status())
attempt(w.connect, "flyve", "flyve-demo")
until(network.STAT_GOT_IP)
print(w.status("rssi"), w.ifconfig()[0], w.config("ssid"), len(w.config("mac")))
attempt(w.connect)
w.disconnect()
print(w.status(), w.isconnected())
attempt(w.status, "rssi")
""",
    )
    assert run.wait() == 0
    assert run.log[:9] == [
        "1000 0.0.0.0",
        "1001",
        "OSError Wifi Internal Error",
        "status 1010 True",
        "-55 10.0.2.15 flyve 6",
        "OSError Wifi Internal Error",
        "1000 False",
        "OSError Wifi Not Connected",
        "board: main.py has ended: the board sits at its prompt",
    ]


def test_each_failure_has_its_status(bench):
    run = started(
        bench,
        """
w.config(reconnects=0)
w.connect("flyve", "wrong")
until(202)
w.connect("nobody", "x")
until(201)
w.connect("open")
until(1010)
w.disconnect()
print(sorted(ap[0] for ap in w.scan()), w.scan()[1][4])
w.active(False)
attempt(w.connect, "open")
""",
        aps={"flyve": "flyve-demo", "open": {"psk": "", "rssi": -80}},
    )
    assert run.wait() == 0
    assert run.log[:5] == [
        "status 202 False",
        "status 201 False",
        "status 1010 True",
        "[b'flyve', b'open'] 0",
        "OSError Wifi Not Started",
    ]


# A2
def test_connect_does_not_clear_the_last_reason(bench):
    run = started(
        bench,
        """
w.config(reconnects=0)
w.connect("nobody", "x")
until(201)
attempt(w.disconnect)
w.connect("flyve", "flyve-demo")
print("at once", w.status())
attempt(w.status, "rssi")
time.sleep_ms(80)
print("linked", w.status(), w.status("rssi"))
until(1010)
""",
        connect_ms=110,
    )
    assert run.wait() == 0
    assert run.log[:5] == [
        "status 201 False",
        "at once 201",
        "OSError Wifi Not Connected",
        "linked 201 -55",
        "status 1010 True",
    ]


# A2
def test_a_scan_and_joining_take_as_long_as_on_a_chip(bench):
    run = bench.run(
        PRELUDE
        + """
now = 0
def ticks():  # instead of waiting
    global now
    now += 5
    return now
time.ticks_ms = ticks
w.config(reconnects=0)
for ssid, status in (("nobody", 201), ("flyve", 1010)):
    begun = now
    w.connect(ssid, "flyve-demo")
    while w.status() != status: pass
    print("took", now - begun)
"""
    )
    scan, join = (int(line.split()[1]) for line in run.log[:2])
    assert 2500 <= scan < 3000
    assert 1000 <= join < 3500


def test_an_access_point_has_reasons_of_its_own(bench):
    run = started(
        bench,
        """
w.config(reconnects=0)
for ssid, key in (("a", "wrong"), ("b", "right"), ("c", "right"), ("d", None)):
    w.connect(ssid, key)
    while w.status() == 1001: time.sleep_ms(5)
    print(w.status())
""",
        aps={"a": {"psk": "right", "wrong": 15}, "b": {"psk": "right", "refuses": 203}, "c": "",
             "d": "right"},
    )  # fmt: skip
    assert run.wait() == 0
    assert run.log[:2] == ["15", "203"]


def test_an_access_point_goes_and_comes_back(bench):
    run = started(
        bench,
        """
w.config(reconnects=0)
w.connect("flyve", "flyve-demo")
until(1010)
while w.isconnected(): time.sleep_ms(2)
print("lost", w.status())
time.sleep_ms(60)
attempt(w.connect)
until(201)
while not w.isconnected():
    time.sleep_ms(50)
    if not w.isconnected(): attempt(w.connect)
print("back", w.status())
""",
    )
    run.wait_log("status 1010")
    bench.boards[-1].set_air({})
    run.wait_log("lost 200")
    run.wait_log("status 201")
    bench.boards[-1].set_air(AIR, connect_ms=5)
    run.wait_log("back 1010")


def test_by_default_it_tries_for_ever(bench):
    run = started(bench, 'w.connect("later", "password")\nuntil(201)\nuntil(1010)\n')
    run.wait_log("status 201")
    bench.boards[-1].set_air({"later": "password"})
    run.wait_log("status 1010 True")


def test_asking_costs_no_memory(bench):
    run = bench.run(
        """
        import gc, network
        from machine import Pin
        w, button = network.WLAN(), Pin(0, Pin.IN)
        w.active(True)
        def ask():
            for _ in range(100):
                w.isconnected(); button.value()
        ask()
        gc.collect(); gc.disable()
        before = gc.mem_alloc()
        ask()
        print("cost", gc.mem_alloc() - before)
        """
    )
    assert int(run.wait_log(r"cost (\d+)")[1]) < 100
