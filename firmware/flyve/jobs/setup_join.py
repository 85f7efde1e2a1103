"""What follows when the page was sent: the network is joined, what was sent is made durable."""

from micropython import const

from flyve import log, memory

_TRIES = const(2)  # one may fail by chance, but for a wrong passphrase
_LEAVE_MS = const(3000)  # for the network before


class Join:
    """Call step() often; it never waits."""

    def __init__(self, station, box):
        self._sta = station
        self._box = box
        self._since = log.uptime()
        self._joining = None
        if not self._is_in():
            try:
                station.disconnect()
            except OSError:
                pass
            from flyve.jobs import wifi_join

            self._joining = wifi_join.Joining(station, box["plan"][:2])

    def _is_in(self):
        """True when the board is in that network already, by that passphrase."""
        ssid, psk, _ = self._box["plan"]
        try:
            there = self._sta.isconnected() and self._sta.config("ssid") == ssid
        except (OSError, ValueError):
            return False
        return there and (ssid, psk) in self._box["known"]

    def step(self):
        """Goes on; True when it is at its end: `shows` in the box tells which."""
        joining = self._joining
        up = self._sta.isconnected()
        if joining and self._since is not None:
            if up and log.uptime() - self._since < _LEAVE_MS:
                return False  # still in the one before
            self._since = None
        if not joining or up:
            joining = self._joining = None
            memory.drop("wifi_join")
            self._keep()
            return True
        joining.step()
        if not joining.failures or joining.failures < _TRIES and joining.failure[:6] != "wrong ":
            return False
        self._failed("%s: %s." % (self._box["plan"][0], joining.failure))
        return True

    def _keep(self):
        box = self._box
        try:
            from flyve.jobs import setup_store

            setup_store.store(*box["plan"] + (box["link"], box["known"]))
        except (OSError, ValueError, MemoryError) as e:
            self._failed("The board cannot keep this: %s." % log.reason(e))
            return
        finally:
            setup_store = None
            memory.drop("setup_store")
        log.info("setup", "joined %s: after a restart it enrolls", box["plan"][0])
        box["shows"], box["why"], box["todo"] = "joined", "", ""

    def _failed(self, why):
        box = self._box
        box["plan"] = None
        box["shows"], box["why"], box["todo"] = "failed", why, "Correct it, and send it again."
