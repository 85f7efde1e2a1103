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


def started(bench, main, **how):
    return bench.start(bench.board(PRELUDE + main, **how))


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


def test_an_access_point_goes_and_comes_back(bench):
    board = bench.board(
        PRELUDE
        + """
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
"""
    )
    run = bench.start(board)
    run.wait_log("status 1010")
    board.set_air({})
    run.wait_log("lost 200")
    run.wait_log("status 201")
    board.set_air({"flyve": "flyve-demo"}, connect_ms=5)
    run.wait_log("back 1010")


def test_by_default_it_tries_for_ever(bench):
    board = bench.board(PRELUDE + 'w.connect("later", "password")\nuntil(201)\nuntil(1010)\n')
    run = bench.start(board)
    run.wait_log("status 201")
    board.set_air({"later": "password"})
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
