"""How the station joins one of several networks, the last that worked first.

The driver keeps the reason of its last failure until an address is there: neither connect() nor
disconnect() clears it. So a reason is the outcome of a try only if it is news in it, or still
stands after a time in which a sound access point would have let us in.
"""

from micropython import const

from flyve import board, log, memory
from flyve.jobs import nvs, texts

_TRY_MS = const(20000)  # one network's chance
_LATE_MS = const(1500)  # what is told so soon may be about the try before: a scan takes longer
_OLD_MS = const(6000)  # a reason from before is believed then, unless we are let in by then
_REST_MS = const(1000)  # the driver wants a pause after a failure
_ROUND_MS = const(60000)  # longest pause after a round in which no network worked
# What the driver, or the access point, gives as the reason.
_REASONS = const((
    (2, "wrong passphrase, or a weak signal"),
    (5, "it takes no more devices"),
    (15, "wrong passphrase"),
    (200, "its signal was lost"),
    (201, "not found"),
    (202, "wrong passphrase"),
    (203, "it refuses this device: see its list of devices, or whether it is full"),
    (204, "wrong passphrase"),
    (205, "wrong passphrase"),
    (210, "it wants another security: was it provisioned without its passphrase, or has it WPA3?"),
    (211, "its security is weaker than wanted: is it an open network, or one with WEP?"),
    (212, "its signal is too weak"),
))  # fmt: skip


def _meaning(status):
    for code, text in _REASONS:
        if code == status:
            return "%s (%d)" % (text, code)
    return "no connection (%s)" % status


def networks():
    """What NVS has, pairs of texts. Raises ValueError, TypeError and OSError when they are
    unreadable."""
    made = []
    for ssid, psk in texts.loads(nvs.get("wifi") or b"[]"):
        if not isinstance(ssid, str) or not isinstance(psk or "", str):
            raise ValueError
        made.append((ssid, psk))
    return made


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
    """Call step() often; it never waits. chosen: one to join instead of those in NVS."""

    def __init__(self, sta, chosen=None):
        self._sta = sta
        self._index = 0
        self.failures = 0
        self.failure = ""  # the last one's reason
        try:
            self._networks = [chosen] if chosen else networks()
        except (ValueError, TypeError, OSError):
            self._networks = []
            log.error("wifi", "its settings are unreadable: flyve provision --wifi")
        for i, network in enumerate(self._networks):
            log.secret("psk" if chosen else "wifi%d" % i, network[1])
        try:
            self._index = not chosen and nvs.get_int("net") or 0
        except OSError:
            pass  # the first one, then
        self._good = self._index
        self._since = None  # while a try is under way
        self._old = None  # the reason that was there at its beginning
        self._busy = False  # the driver would not begin the last try
        self._rest = log.uptime()
        self._pause = 0
        if not self._networks:
            log.warn("wifi", "no network is configured: flyve provision --wifi SSID --psk -")

    def step(self):
        """Goes on with whatever is due."""
        if not self._networks:
            return
        now = log.uptime()
        if self._since is None:
            if now - self._rest >= self._pause:
                self._begin(now)
            return
        age = now - self._since
        status = self._sta.status()
        if age > _TRY_MS:
            text = "no connection in %d s" % (_TRY_MS // 1000)
        elif status in (board.network.STAT_IDLE, board.network.STAT_CONNECTING, 1010):
            self._old = None  # cleared: the next reason is news
            return
        elif age < _LATE_MS:
            self._old = status
            return
        elif status == self._old and (age < _OLD_MS or self._let_in()):
            return
        else:
            text = _meaning(status)
        self._failed(text)

    def _begin(self, now):
        self._index %= len(self._networks)
        ssid, psk = self._networks[self._index]
        log.info("wifi", "connecting to %s", ssid)
        _light("joining")
        self._since = now
        self._old = None
        try:
            if psk:
                self._sta.connect(ssid, psk)
            else:
                self._sta.connect(ssid)
        except OSError as e:
            # Busy with a try of its own, or one from before a soft reset: this network again,
            # once, for it may also dislike what it got.
            self._busy = not self._busy
            self._failed("no connection (%s)" % log.reason(e))
            self._index -= self._busy

    def _let_in(self):
        """Only an address is wanting: the driver knows the signal of whom it is linked to."""
        try:
            return self._sta.status("rssi") is not None
        except (OSError, ValueError):
            return False

    def _failed(self, text):
        log.warn("wifi", "%s: %s", self._networks[self._index][0], text)
        _light("trouble")
        self.failures += 1
        self.failure = text
        try:
            self._sta.disconnect()
        except OSError:
            pass
        self._since = None
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
