"""What both interfaces of `network` share, and the host's name."""

_hostname = "mpy-esp32"
_STATION_S = ("reconnects",)
_ACCESS_POINT_S = ("ssid", "essid", "key", "password", "security", "authmode", "hidden",
                   "max_clients")  # fmt: skip


def hostname(name=None):
    global _hostname
    if name is None:
        return _hostname
    if len(name) > 32:
        raise ValueError
    _hostname = name


class Interface:
    IF_STA, IF_AP = 0, 1
    PM_NONE, PM_PERFORMANCE, PM_POWERSAVE = 0, 1, 2
    SEC_OPEN, SEC_WEP, SEC_WPA, SEC_WPA2, SEC_WPA_WPA2 = 0, 1, 2, 3, 4

    def __init__(self, interface, mac):
        self._is_station = interface == self.IF_STA
        self._active = False
        self._config = {"pm": 1, "channel": 1, "txpower": 20.0, "ssid": ""}
        self._config["mac"] = mac[:5] + bytes([mac[5] + interface & 0xFF])

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
                self._check(name, _ACCESS_POINT_S)
                if name in ("hostname", "dhcp_hostname"):
                    hostname(value)
                else:
                    self._set(name, value)
            return
        if len(param) != 1:
            raise TypeError("can query only one param")
        name = "ssid" if param[0] == "essid" else param[0]
        self._check(name, _ACCESS_POINT_S[2:])
        if name in ("hostname", "dhcp_hostname"):
            return _hostname
        return self._get(name)

    def _set(self, name, value):
        if name not in self._config:
            raise ValueError("unknown config param")
        self._config[name] = value

    def _get(self, name):
        if name not in self._config:
            raise ValueError("unknown config param")
        return self._config[name]

    def _check(self, name, access_point_s):
        if self._is_station and name in access_point_s:
            raise OSError("AP required")
        if not self._is_station and name in _STATION_S:
            raise OSError("STA required")
