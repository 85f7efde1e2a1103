"""`network` as on an ESP32: one station, whose access points are in the air of inputs.json; the
board's own network is in access_point.py.

A try takes as long as on the chip: a scan that finds nothing 2.5 s (`scan_ms`), as does a wrong
passphrase, and joining 1 to 3 s (`connect_ms`). As there, status() keeps the last reason until an
address is there, connect() does not clear it, and what disconnect() does to it may come late
(`late_ms`).

Nothing happens in the background: the state moves on when it is asked for. The host's own
network is what the sockets use; an access point that goes away does not close them.
"""

import random
import time

from access_point import AccessPoint
from interface import Interface, hostname  # noqa: F401

STA_IF, AP_IF = 0, 1
STAT_IDLE, STAT_CONNECTING, STAT_GOT_IP = 1000, 1001, 1010
STAT_BEACON_TIMEOUT, STAT_NO_AP_FOUND, STAT_WRONG_PASSWORD = 200, 201, 202
STAT_ASSOC_FAIL, STAT_HANDSHAKE_TIMEOUT, STAT_CONNECT_FAIL = 203, 204, 205
STAT_NO_AP_FOUND_W_COMPATIBLE_SECURITY = 210
STAT_NO_AP_FOUND_IN_AUTHMODE_THRESHOLD, STAT_NO_AP_FOUND_IN_RSSI_THRESHOLD = 211, 212
AUTH_OPEN, AUTH_WEP, AUTH_WPA_PSK, AUTH_WPA2_PSK = 0, 1, 2, 3

_inputs = None
_country = "XX"
_LEAVE = 8  # WIFI_REASON_ASSOC_LEAVE
_SCAN_MS = 2500
_JOIN_MS = 1000, 3000
# What status() tells for ever after; any other reason gives way to "connecting".
_STICKY = (STAT_NO_AP_FOUND, STAT_NO_AP_FOUND_W_COMPATIBLE_SECURITY,
           STAT_NO_AP_FOUND_IN_AUTHMODE_THRESHOLD, STAT_NO_AP_FOUND_IN_RSSI_THRESHOLD)  # fmt: skip


def attach(inputs, mac, tell, ports):
    """Connects the module with the board; the launcher calls it. For tell and ports see
    socket.py."""
    global _inputs, _wlans
    _inputs = inputs
    station = _Station(STA_IF, mac)
    _wlans = station, AccessPoint(mac, inputs, tell, ports, station.channel)


def WLAN(interface=STA_IF):
    if interface not in (STA_IF, AP_IF):
        raise ValueError("invalid WLAN interface identifier")
    return _wlans[interface]


def country(code=None):
    global _country
    if code is None:
        return _country
    if len(code) != 2:
        raise ValueError
    _country = code


def phy_mode(mode=None):
    return 3


class _Station(Interface):
    """The station, with the states and retries of the real driver: it goes on trying after
    a failure, for ever (`reconnects` -1, the default) or that many times."""

    def __init__(self, interface, mac):
        super().__init__(interface, mac)
        self._config["reconnects"] = -1
        self._key = None
        self._wanted = self._connected = self._trying = False
        self._reason = self._tries = self._join_ms = self._begun = 0
        self._late = None  # a reason, and since when it is on its way

    def active(self, is_active=None):
        if is_active is not None:
            if not is_active:
                self._leave()
            self._active = bool(is_active)
        return self._active

    def connect(self, ssid=None, key=None, *, bssid=None):
        if not self._active:
            raise OSError("Wifi Not Started")
        self._update()
        if self._trying or self._connected:
            raise OSError("Wifi Internal Error")
        if ssid is not None:
            self._config["ssid"] = ssid.decode() if isinstance(ssid, bytes) else ssid
            self._key = key.decode() if isinstance(key, bytes) else key
        self._wanted, self._tries = True, 0
        self._start()

    def disconnect(self):
        if not self._active:
            raise OSError("Wifi Not Started")
        self._update()
        self._wanted = False
        self._leave()

    def _leave(self):
        if self._connected or self._associated():
            self._late = _LEAVE, time.ticks_ms()
        # Else there is nobody to leave: the reason stays.
        self._connected = self._trying = False
        self._update()

    def isconnected(self):
        self._update()
        return self._connected

    def status(self, param=None):
        self._update()
        if param == "rssi":
            if not self._connected and not self._associated():
                raise OSError("Wifi Not Connected")
            return _rssi(self._access_point())
        if param is not None:
            raise ValueError("unknown status param")
        if self._connected:
            return STAT_GOT_IP
        if self._reason in _STICKY:
            return self._reason
        if self._reason in (STAT_WRONG_PASSWORD, STAT_CONNECT_FAIL):
            return STAT_WRONG_PASSWORD
        if self._reason == _LEAVE:
            return STAT_IDLE
        if self._wanted and self._may_retry():
            return STAT_CONNECTING
        return self._reason or STAT_IDLE

    def ifconfig(self, config=None):
        if config is not None:
            return
        if not self.isconnected():
            return ("0.0.0.0", "0.0.0.0", "0.0.0.0", "0.0.0.0")
        return ("10.0.2.15", "255.255.255.0", "10.0.2.2", "10.0.2.3")

    def scan(self):
        if not self._active:
            raise OSError("STA must be active")
        self._update()
        if self._trying:
            return []  # the driver refuses, and MicroPython does not tell
        time.sleep_ms(_inputs.get().get("scan_ms", _SCAN_MS))
        found = []
        for ssid, ap in sorted(_inputs.get()["aps"].items()):
            auth = AUTH_WPA2_PSK if _psk(ap) else AUTH_OPEN
            bssid = b"\x02\x00\x00\x00\x00\x01"
            found.append((ssid.encode(), bssid, _channel(ap), _rssi(ap), auth, False))
        return found

    def channel(self):
        """The channel of the network that it is in, or None."""
        self._update()
        ap = self._access_point()
        return _channel(ap) if self._connected or self._associated() else None

    def _access_point(self):
        return _inputs.get()["aps"].get(self._config["ssid"])

    def _start(self):
        self._trying = True
        self._begun = time.ticks_ms()
        low, high = _JOIN_MS
        self._join_ms = low + random.getrandbits(20) % (high - low)

    def _may_retry(self):
        return self._config["reconnects"] < 0 or self._tries <= self._config["reconnects"]

    def _fits(self, ap):
        return ap is not None and not _refusal(ap) and _psk(ap) == (self._key or "")

    def _associated(self):
        # The last third of the time goes to the address.
        if not self._trying or not self._fits(self._access_point()):
            return False
        age = time.ticks_diff(time.ticks_ms(), self._begun)
        join = _inputs.get().get("connect_ms", self._join_ms)
        return age >= min(join * 2 // 3, _SCAN_MS)

    def _update(self):
        now = time.ticks_ms()
        if self._late and time.ticks_diff(now, self._late[1]) >= _inputs.get().get("late_ms", 0):
            self._reason, self._late = self._late[0], None
        ap = self._access_point()
        if self._connected:
            if ap is None:
                self._connected = False
                self._fail(STAT_BEACON_TIMEOUT)
        elif self._trying:
            age = time.ticks_diff(now, self._begun)
            if self._fits(ap):
                if age >= _inputs.get().get("connect_ms", self._join_ms):
                    self._trying = False
                    self._connected, self._reason, self._tries = True, 0, 0
            elif age >= _inputs.get().get("scan_ms", _SCAN_MS):
                self._trying = False
                if ap is None:
                    self._fail(STAT_NO_AP_FOUND)
                else:
                    self._fail(_refusal(ap) or _wrong(ap, self._key))

    def _fail(self, reason):
        self._reason = reason
        self._tries += 1
        if self._wanted and self._may_retry():
            self._start()


# An access point is its passphrase ("" when open), or {"psk": ..., "rssi": ..., "channel": ...}.
# "wrong" is the reason that it gives for a wrong passphrase, "refuses" one that it gives for any.
def _psk(ap):
    return ap.get("psk", "") if isinstance(ap, dict) else ap


def _rssi(ap):
    return ap.get("rssi", -55) if isinstance(ap, dict) else -55


def _channel(ap):
    return ap.get("channel", 1) if isinstance(ap, dict) else 1


def _refusal(ap):
    return ap.get("refuses") if isinstance(ap, dict) else None


def _wrong(ap, key):
    if isinstance(ap, dict) and "wrong" in ap:
        return ap["wrong"]
    if key and not _psk(ap):
        return STAT_NO_AP_FOUND_IN_AUTHMODE_THRESHOLD
    return STAT_WRONG_PASSWORD if key else STAT_NO_AP_FOUND_W_COMPATIBLE_SECURITY
