"""`network` as on an ESP32: one station, whose access points are in the air of inputs.json.

A try takes as long as on the chip: a scan that finds nothing 2.5 s (`scan_ms`), as does a wrong
passphrase, and joining 1 to 3 s (`connect_ms`). As there, status() keeps the last reason until an
address is there, connect() does not clear it, and what disconnect() does to it may come late
(`late_ms`).

Nothing happens in the background: the state moves on when it is asked for. The host's own
network is what the sockets use; an access point that goes away does not close them.
"""

import random
import time

STA_IF, AP_IF = 0, 1
STAT_IDLE, STAT_CONNECTING, STAT_GOT_IP = 1000, 1001, 1010
STAT_BEACON_TIMEOUT, STAT_NO_AP_FOUND, STAT_WRONG_PASSWORD = 200, 201, 202
STAT_ASSOC_FAIL, STAT_HANDSHAKE_TIMEOUT, STAT_CONNECT_FAIL = 203, 204, 205
STAT_NO_AP_FOUND_W_COMPATIBLE_SECURITY = 210
STAT_NO_AP_FOUND_IN_AUTHMODE_THRESHOLD, STAT_NO_AP_FOUND_IN_RSSI_THRESHOLD = 211, 212
AUTH_OPEN, AUTH_WEP, AUTH_WPA_PSK, AUTH_WPA2_PSK = 0, 1, 2, 3

_inputs = _mac = None
_hostname = "mpy-esp32"
_country = "XX"
_LEAVE = 8  # WIFI_REASON_ASSOC_LEAVE
_SCAN_MS = 2500
_JOIN_MS = 1000, 3000
# What status() tells for ever after; any other reason gives way to "connecting".
_STICKY = (STAT_NO_AP_FOUND, STAT_NO_AP_FOUND_W_COMPATIBLE_SECURITY,
           STAT_NO_AP_FOUND_IN_AUTHMODE_THRESHOLD, STAT_NO_AP_FOUND_IN_RSSI_THRESHOLD)  # fmt: skip


def attach(inputs, mac):
    """Connects the module with the board; the launcher calls it."""
    global _inputs, _mac, _wlans
    _inputs, _mac = inputs, mac
    _wlans = _Station(STA_IF), _Interface(AP_IF)


def WLAN(interface=STA_IF):
    if interface not in (STA_IF, AP_IF):
        raise ValueError("invalid WLAN interface identifier")
    return _wlans[interface]


def hostname(name=None):
    global _hostname
    if name is None:
        return _hostname
    if len(name) > 32:
        raise ValueError
    _hostname = name


def country(code=None):
    global _country
    if code is None:
        return _country
    if len(code) != 2:
        raise ValueError
    _country = code


def phy_mode(mode=None):
    return 3


class _Interface:
    """What both interfaces share; alone it is the access point, which nobody joins."""

    IF_STA, IF_AP = STA_IF, AP_IF
    PM_NONE, PM_PERFORMANCE, PM_POWERSAVE = 0, 1, 2
    SEC_OPEN, SEC_WEP, SEC_WPA, SEC_WPA2 = 0, 1, 2, 3

    def __init__(self, interface):
        self._active = False
        self._config = {"pm": 1, "channel": 1, "txpower": 20.0, "ssid": ""}
        self._config["mac"] = _mac[:5] + bytes([_mac[5] + interface & 0xFF])

    def active(self, is_active=None):
        if is_active is not None:
            self._active = bool(is_active)
        return self._active

    def isconnected(self):
        return False

    def status(self, param=None):
        if param == "stations":
            return []
        if param is not None:
            raise ValueError("unknown status param")

    def ifconfig(self, config=None):
        if config is None:
            return ("192.168.4.1", "255.255.255.0", "192.168.4.1", "0.0.0.0")

    def ipconfig(self, param=None, **config):
        address, mask, gateway, _ = self.ifconfig()
        if param == "addr4":
            return address, mask
        if param == "gw4":
            return gateway
        if param is not None:
            raise ValueError("unexpected key")

    def config(self, *param, **config):
        if param and config:
            raise TypeError("either pos or kw args are allowed")
        if config:
            for name, value in config.items():
                if name in ("hostname", "dhcp_hostname"):
                    hostname(value)
                elif name not in self._config:
                    raise ValueError("unknown config param")
                else:
                    self._config[name] = value
            return
        if len(param) != 1:
            raise TypeError("can query only one param")
        name = "ssid" if param[0] == "essid" else param[0]
        if name in ("hostname", "dhcp_hostname"):
            return _hostname
        if name not in self._config:
            raise ValueError("unknown config param")
        return self._config[name]


class _Station(_Interface):
    """The station, with the states and retries of the real driver: it goes on trying after
    a failure, for ever (`reconnects` -1, the default) or that many times."""

    def __init__(self, interface):
        super().__init__(interface)
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
        time.sleep_ms(_inputs.get().get("scan_ms", _SCAN_MS))
        found = []
        for ssid, ap in sorted(_inputs.get()["aps"].items()):
            auth = AUTH_WPA2_PSK if _psk(ap) else AUTH_OPEN
            found.append((ssid.encode(), b"\x02\x00\x00\x00\x00\x01", 1, _rssi(ap), auth, False))
        return found

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


# An access point is its passphrase ("" when open), or {"psk": ..., "rssi": ...}. "wrong" is the
# reason that it gives for a wrong passphrase, "refuses" one that it gives for any.
def _psk(ap):
    return ap.get("psk", "") if isinstance(ap, dict) else ap


def _rssi(ap):
    return ap.get("rssi", -55) if isinstance(ap, dict) else -55


def _refusal(ap):
    return ap.get("refuses") if isinstance(ap, dict) else None


def _wrong(ap, key):
    if isinstance(ap, dict) and "wrong" in ap:
        return ap["wrong"]
    if key and not _psk(ap):
        return STAT_NO_AP_FOUND_IN_AUTHMODE_THRESHOLD
    return STAT_WRONG_PASSWORD if key else STAT_NO_AP_FOUND_W_COMPATIBLE_SECURITY
