"""The station: whether it is connected, and wifi_join.py while it is not."""

from flyve import log, memory


class Wifi:
    """Call step() often; it never waits."""

    def __init__(self, station):
        self._sta = station
        self._joining = None
        self.up = False

    def address(self):
        """(address, mask, gateway, DNS), all text."""
        return self._sta.ifconfig()

    def step(self):
        """Goes on with whatever is due; returns True while connected."""
        up = self._sta.isconnected()
        if up and self.up:
            return True
        if self.up:
            log.warn("wifi", "connection lost")
        self.up = up
        if self._joining is None:
            from flyve.jobs import wifi_join

            self._joining = wifi_join.Joining(self._sta)
        if up:
            self._joining.joined()
            self._joining = None
            log.info("wifi", "connected as %s", self.address()[0])
            wifi_join = None
            memory.drop("connecting", "wifi_join")
        else:
            self._joining.step()
        return up
