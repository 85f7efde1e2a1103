"""How the station joins one of several networks, the last that worked first."""

from micropython import const

from flyve import board, log, memory
from flyve.jobs import nvs, wifi_try

_REST_MS = const(1000)  # the driver wants a pause after a failure
_ROUND_MS = const(60000)  # longest pause after a round in which no network worked


def networks():
    """What NVS has, pairs of texts. Raises ValueError, TypeError and OSError when they are
    unreadable."""
    made = []
    for ssid, psk in _read():
        if not isinstance(ssid, str) or not isinstance(psk or "", str):
            raise ValueError
        made.append((ssid, psk))
    return made


def _read():
    try:
        from flyve.jobs import texts

        return texts.loads(nvs.get("wifi") or b"[]")
    finally:
        texts = None
        memory.drop("texts")  # to join may take for ever


def known():
    """The same; none when they are unreadable."""
    try:
        return networks()
    except (ValueError, TypeError, OSError):
        return []


def station():
    """The station interface, switched on, with the driver's own reconnecting switched off."""
    sta = board.network.WLAN(board.network.STA_IF)
    sta.active(True)
    try:
        sta.config(reconnects=0)
    except (OSError, ValueError):
        pass  # firmware without that parameter reconnects by itself; wifi.py copes with both
    return sta


def _light(what):
    try:
        if nvs.get_int("led") is not None:
            from flyve.jobs import led

            led.show_alone(what)
            led = None
            memory.drop("led")
    except (OSError, MemoryError):
        pass  # only the LED is wrong


class Joining:
    """Call step() often; it never waits."""

    def __init__(self, station):
        self._sta = station
        self._index = 0
        try:
            self._networks = networks()
        except (ValueError, TypeError, OSError):
            self._networks = []
            log.error("wifi", "its settings are unreadable: flyve provision --wifi")
        for i, network in enumerate(self._networks):
            log.secret("wifi%d" % i, network[1])
        try:
            self._index = nvs.get_int("net") or 0
        except OSError:
            pass  # the first one, then
        self._good = self._index
        self._try = None  # wifi_try.py's, while one is under way
        self._busy = False  # the driver would not begin the last try
        self._rest = log.uptime()
        self._pause = 0
        if not self._networks:
            log.warn("wifi", "no network is configured: flyve provision --wifi SSID --psk -")

    def step(self):
        """Goes on with whatever is due."""
        if not self._networks:
            return
        if self._try is None:
            if log.uptime() - self._rest >= self._pause:
                self._begin()
            return
        why = wifi_try.failure(self._sta, self._try)
        if why:
            self._failed(why)

    def _begin(self):
        self._index %= len(self._networks)
        _light("joining")
        try:
            self._try = wifi_try.begin(self._sta, *self._networks[self._index])
        except OSError as e:
            # Busy with a try of its own, or one from before a soft reset: this network again,
            # once, for it may also dislike what it got.
            self._busy = not self._busy
            self._failed("no connection (%s)" % log.reason(e))
            self._index -= self._busy

    def _failed(self, why):
        log.warn("wifi", "%s: %s", self._networks[self._index][0], why)
        _light("trouble")
        try:
            self._sta.disconnect()
        except OSError:
            pass
        self._try = None
        self._index += 1
        if (self._index - self._good) % len(self._networks) == 0:
            self._pause *= 2
        self._pause = max(_REST_MS, min(_ROUND_MS, self._pause))
        self._rest = log.uptime()

    def joined(self):
        """It is connected: remembers the network that worked."""
        if self._networks and self._index != self._good:
            try:
                nvs.put_int("net", self._index)
            except OSError as e:
                log.warn("wifi", "the network that worked is not kept: %s", e)
