# Called by the tests: exchanges through flyve.transport, and what was
# seen beside them: the watchdog's feeds, the hook's calls, the look-ups of names.

import gc
import socket
import sys
import time

from passing import passed

from flyve import board, log, transport
from flyve.jobs import clock, net_connect, sockets

HOST = "glpi.example.org"
OTHER = "other.example.org"


class Names:
    """Stands in for the socket module: names of its own, real look-ups."""

    SOCK_DGRAM = socket.SOCK_DGRAM
    SOCK_STREAM = socket.SOCK_STREAM
    AF_INET = socket.AF_INET
    socket = socket.socket

    def __init__(self):
        self.asked = 0
        self.known = {HOST: "127.0.0.1", OTHER: "127.0.0.1"}

    def getaddrinfo(self, host, *rest):
        self.asked += 1
        if not host[0].isdigit() and host != "localhost":
            if host not in self.known:
                raise OSError(-2)  # as the unix port; ESP32 has -202
            host = self.known[host]
            if isinstance(host, list):
                return [self.getaddrinfo(one, *rest)[0] for one in host]
        if rest[1] == 0:  # any family: as a host with IPv6 sees most servers
            return [(10, 1, 6, "", b"")] + socket.getaddrinfo(host, *rest)
        return socket.getaddrinfo(host, *rest)


class Dog:
    def __init__(self):
        self.feeds = 0

    def feed(self):
        self.feeds += 1


lines = []
names = Names()
dog = Dog()
slices = []
_inside = False
nested = 0


sys.modules["socket"] = net_connect.socket = clock.socket = names  # they look names up here


def hook():
    global _inside, nested
    if _inside:
        nested += 1
    _inside = True
    slices.append(time.ticks_ms())
    for _ in range(3):
        time.sleep_ms(2)
        transport._sliced = time.ticks_add(transport._sliced, -200)
        transport.slice_done()  # as a hook that itself writes to a socket
    _inside = False


def start(ca=None, verify=True, floor=0, name="/ca.test"):
    """Everything as after a boot. ca: the bytes of the CA file, or None for no file."""
    global nested
    transport.addresses.clear()
    transport.doubted.clear()
    transport.hook = None
    transport.clock.update(floor=floor, sure=False, proven=0)
    transport.trust.update(ca=None, verify=verify, context=None)
    names.__init__()
    dog.__init__()
    board._wdt = dog
    slices.clear()
    nested = 0
    log.sink = lines.append
    log.level = 0
    lines.clear()
    if ca is not None:
        with open(name, "wb") as f:
            f.write(ca)
        transport.trust["ca"] = name
    gc.enable()
    gc.collect()


def ca_path(path):
    transport.trust["ca"] = path


def sure(yes):
    transport.clock["sure"] = yes


def proven():
    return transport.clock["proven"]


def forget(host):
    names.known.pop(host)


def rename(addresses):
    """What HOST stands for from now on."""
    names.known[HOST] = addresses


def use_hook():
    transport.hook = hook


def report(work):
    """What work() gave, or the NetError, and what was seen meanwhile."""
    result = {}
    begin = time.ticks_ms()
    try:
        result["value"] = work()
    except transport.NetError as e:
        result["kind"] = e.kind
        result["text"] = str(e)
    result["ms"] = time.ticks_diff(time.ticks_ms(), begin)
    result["feeds"] = dog.feeds
    result["slices"] = [time.ticks_diff(at, begin) for at in slices]
    result["nested"] = nested
    return result


def _all(s):
    data = b""
    while True:
        piece = s.read(4096)
        if not piece:
            return data
        data += piece


def _lines(s):
    found = []
    while True:
        line = s.readline()
        if line in (b"\r\n", b""):
            return found
        found.append(line)


def _busy(s):
    # Reads what is there all the time, for half a second.
    s.stream.flush()
    buf = bytearray(64)
    begin = time.ticks_ms()
    n = 0
    while time.ticks_diff(time.ticks_ms(), begin) < 500:
        s.stream.readinto(buf)
        n += 1
    return n


def _after_days(s):
    passed(7)  # as when the Wi-Fi is away in the middle of a job
    return s.read(1)


_HOW = {"all": _all, "lines": _lines, "busy": _busy, "nothing": lambda s: None}
_HOW["days"] = _after_days


def _connected(port, tls=False, host=HOST):
    s = sockets.socket()
    s.connect(sockets.getaddrinfo(host, port)[0][-1])
    return sockets.wrap_socket(s) if tls else s


def exchange(port, ms=1000, tls=False, how="all", host=HOST, request=b"GET / HTTP/1.0\r\n\r\n"):
    """One exchange as urequests makes it: what was read, or the error."""

    def work():
        with sockets.Exchange(host, ms):
            s = _connected(port, tls, host)
            s.write(request)
            return _HOW[how](s)

    return report(work)


def twice(port):
    """A second connection in one exchange, to the same host."""

    def work():
        with sockets.Exchange(HOST, 1000):
            address = sockets.getaddrinfo(HOST, port)[0][-1]
            for _ in range(2):
                sockets.socket().connect(address)

    return report(work)


def second_host(port):
    """A second look-up in one exchange."""

    def work():
        with sockets.Exchange(HOST, 1000):
            sockets.getaddrinfo(HOST, port)
            sockets.getaddrinfo(OTHER, port)

    return report(work)


def unasked(port):
    """A connection outside any exchange."""
    return report(sockets.socket)


def big(port, size, ms, tls=False):
    """Writes size bytes of a pattern, then reads the answer."""
    pattern = bytes(range(256)) * (size // 256)

    def work():
        with sockets.Exchange(HOST, ms):
            s = _connected(port, tls)
            s.write(b"head")
            s.write(pattern)
            return s.read(2)

    return report(work)


def close_while_stuck(port):
    """Closes a connection that still holds unsent bytes, while the peer reads nothing."""

    def work():
        with sockets.Exchange(HOST, 5000):
            s = _connected(port)
            for size in (4096, 1):
                while s.stream.s.write(bytes(size)):
                    pass
            s.write(b"the rest")

    return report(work)


def peek(port, ms, wait):
    """poll_in() on a connection of which nothing comes, then on one that has something."""

    def work():
        with sockets.Exchange(HOST, ms):
            s = _connected(port)
            s.write(b"go")
            s.stream.flush()
            return [s.stream.poll_in(wait), s.stream.poll_in(ms), bytes(s.read(2))]

    return report(work)


def datagram(port, ms=300, host=HOST):
    reply = bytearray(64)
    return report(lambda: [clock.datagram(host, port, b"ask", reply, ms), bytes(reply)])


def mixed(ports, rounds):
    """Failing exchanges of all kinds, without a collection that could close what was forgotten.
    ports: [port, tls, ms]; port 0 stands for a name that nobody knows."""
    gc.disable()
    kinds = {}
    for _ in range(rounds):
        for port, tls, ms in ports:
            host = HOST if port else "nowhere.example.org"
            found = exchange(port, ms, tls, host=host)
            kind = found.get("kind", "none")
            kinds[kind] = kinds.get(kind, 0) + 1
    return kinds


def failing_hook(port):
    """The errors of an exchange whose hook raises once."""
    calls = []

    def once():
        calls.append(1)
        if len(calls) == 1:
            raise ValueError

    transport.hook = once
    found = []
    try:
        exchange(port, 400)
    except ValueError:
        found.append("ValueError")
    found.append(exchange(port, 300)["kind"])
    transport.hook = None
    return found if len(calls) > 2 else calls


def many_writes(port):
    """Twenty lines, as a library writes them."""

    def work():
        with sockets.Exchange(HOST, 1000):
            s = _connected(port)
            for i in range(20):
                s.write(b"line %d\r\n" % i)
            s.write("\r\n")
            s.write(b"\r\n and more", 2)
            return _all(s)

    return report(work)
