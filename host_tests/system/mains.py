"""main.py of boards whose time runs fast, or that hang on purpose: the agent is as it is."""

from __future__ import annotations

from flyve_mdm.build import firmware

_FAST = """\
# Time runs {speed} times as fast, the watchdog's {dog} times.
import machine
import time


def _fast():
    ticks, sleep, start = time.ticks_ms, time.sleep_ms, time.ticks_ms()
    period = 1 << 30
    time.ticks_ms = lambda: (start + time.ticks_diff(ticks(), start) * {speed}) % period
    time.sleep_ms = lambda ms: sleep(max(1, ms // {speed}))
    own = machine.WDT

    class WDT(own):
        def __init__(self, id=0, timeout=5000):
            super().__init__(id, timeout // {dog})

    machine.WDT = WDT


_fast()
from flyve.agent import main

main()
"""

# The first start hangs, the later ones do not. {patch} calls hang() at the place.
_HANGS = """\
import machine
import time


def hang(*_, **__):
    print("here it hangs")
    time.sleep(1000000)  # as a C call does it: nothing else runs


if machine.reset_cause() == machine.PWRON_RESET:
    own = machine.WDT

    class WDT(own):
        def __init__(self, id=0, timeout=5000):
            print("watchdog of %d ms" % timeout)
            super().__init__(id, timeout // {dog})

    machine.WDT = WDT

{patch}

from flyve.agent import main

main()
"""

_SOCKETS = """
    import socket
    import sys

    class Sockets:
        def __getattr__(self, name):
            return getattr(socket, name)

        {name} = hang

    sys.modules["socket"] = Sockets()
"""

_CONNECT = """
    import socket
    import sys

    class Dialling:
        connect = hang
        setblocking = setsockopt = lambda *_: None

    class Sockets:
        def __getattr__(self, name):
            return getattr(socket, name)

        def socket(self, family, kind):
            return Dialling() if kind == socket.SOCK_STREAM else socket.socket(family, kind)

    sys.modules["socket"] = Sockets()
"""

_HANDSHAKE = """
    from flyve import transport

    class Context:
        wrap_socket = hang

    transport.trust["context"] = Context()
"""

_METHOD = """
    from flyve import transport

    transport.Stream.{name} = hang
"""

# What blocks in C on a board, and nothing bounds but the watchdog.
HANGS = {
    "getaddrinfo": _SOCKETS.format(name="getaddrinfo"),
    "socket": _SOCKETS.format(name="socket"),
    "connect": _CONNECT,
    "send": _METHOD.format(name="_send"),
    "receive": _METHOD.format(name="readinto"),
    "poll": _METHOD.format(name="wait"),
    "tls handshake": _HANDSHAKE,
    "set the clock": """
    machine.RTC.datetime = hang
""",
    "wifi status": """
    import network

    type(network.WLAN(network.STA_IF)).isconnected = hang
""",
    "wifi connect": """
    import network

    type(network.WLAN(network.STA_IF)).connect = hang
""",
    "flash write": """
    from flyve import agent

    run = agent.Agent.run

    def start(self):
        count = machine._power.count
        machine._power.count = lambda flash, size: hang() if flash else count(flash, size)
        run(self)

    agent.Agent.run = start
""",
    "nvs write": """
    import esp32
    from flyve import agent

    run = agent.Agent.run

    def start(self):
        esp32.NVS.set_blob = hang
        run(self)

    agent.Agent.run = start
""",
    "before the loop": """
    import esp32

    esp32.NVS.get_blob = hang
""",
}


def fast(speed: int, dog: int) -> str:
    """The agent's deadlines and pauses pass `speed` times as fast, the watchdog's `dog` times."""
    return _FAST.format(speed=speed, dog=dog)


def hangs(place: str, dog: int) -> str:
    """At its first start the agent hangs at that place; the watchdog is `dog` times as fast."""
    return firmware.follow(_HANGS.format(dog=dog, patch=HANGS[place]))
