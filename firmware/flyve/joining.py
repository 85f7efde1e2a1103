"""How the station joins one of several networks, the last that worked first."""

import json
import time

from micropython import const

from flyve import board, log

_TRY_MS = const(20000)  # one network's chance
_REST_MS = const(1000)  # the driver wants a pause after a failure
_ROUND_MS = const(60000)  # longest pause after a round in which no network worked
_REASONS = {201: "not found", 202: "wrong passphrase", 204: "wrong passphrase"}


class Joining:
    """Call step() often; it never waits."""

    def __init__(self, sta):
        self._sta = sta
        try:
            self._networks = json.loads(board.nvs_get("wifi") or b"[]")
        except ValueError:
            self._networks = []
            log.error("wifi", "its settings are unreadable: flyve provision --wifi")
        for i, network in enumerate(self._networks):
            log.secret("wifi%d" % i, network[1])
        self._index = self._good = board.nvs_get_int("net") or 0
        self._since = None
        self._rest = time.ticks_ms()
        self._pause = 0
        if not self._networks:
            log.warn("wifi", "no network is configured: flyve provision --wifi SSID --psk -")

    def step(self):
        """Goes on with whatever is due."""
        if not self._networks:
            return
        now = time.ticks_ms()
        if self._since is None:
            if time.ticks_diff(now, self._rest) < self._pause:
                return
            self._index %= len(self._networks)
            ssid, psk = self._networks[self._index]
            log.info("wifi", "connecting to %s", ssid)
            try:
                if psk:
                    self._sta.connect(ssid, psk)
                else:
                    self._sta.connect(ssid)
            except OSError as e:
                log.debug("wifi", "%s", e)
            self._since = now
            return
        status = self._sta.status()
        if status in (board.IDLE, board.CONNECTING, 1010):
            if time.ticks_diff(now, self._since) <= _TRY_MS:
                return
        ssid = self._networks[self._index][0]
        log.warn("wifi", "%s: %s", ssid, _REASONS.get(status, "no connection (%s)" % status))
        try:
            self._sta.disconnect()
        except OSError:
            pass
        self._since = None
        self._index += 1
        if (self._index - self._good) % len(self._networks) == 0:
            self._pause *= 2
        self._pause = max(_REST_MS, min(_ROUND_MS, self._pause))
        self._rest = now

    def joined(self):
        """It is connected: remembers the network that worked."""
        if self._networks and self._index != self._good:
            board.nvs_set_int("net", self._index)
