"""The board's own network, as ESP-IDF's driver has it: `WLAN(AP_IF)`.

Who is in the air, inputs.json says: `stations`, a list of {"mac": ..., "psk": ...} that want to
join. They come and go when the firmware asks for anything here, or looks at its servers; a line
on the console tells of each. While the network is up, the servers of its page and its names are
on the host's loopback: see socket.py.
"""

import socket

from interface import Interface

_OPEN, _WEP = 0, 1
_BOTH = {"essid": "ssid", "password": "key", "security": "authmode"}
_CLIENTS = 4


class AccessPoint(Interface):
    """channel: what tells the station's channel, None while it is in no network."""

    def __init__(self, mac, inputs, tell, ports, channel):
        super().__init__(self.IF_AP, mac)
        self._inputs, self._tell, self._channel = inputs, tell, channel
        self._servers = socket.Servers(ports, tell, self._update)
        self._joined = {}  # the MAC of each station, and the channel that it met us on
        self._refused = []
        self._address = ("192.168.4.1", "255.255.255.0", "192.168.4.1", "0.0.0.0")
        name = "ESP_" + self._config["mac"][3:].hex().upper()
        self._config.update(ssid=name, key="", authmode=_OPEN, hidden=False, max_clients=_CLIENTS)

    def active(self, is_active=None):
        if is_active is not None:
            self._active = bool(is_active)
            # The driver begins with what it was told last, if it was told anything.
            self._servers.switch(self._active)
            self._update()
        return self._active

    def isconnected(self):
        self._update()
        return bool(self._joined)

    def status(self, param=None):
        if param == "stations":
            if not self._active:
                raise OSError("Wifi Invalid Mode")
            self._update()
            return [(bytes.fromhex(mac.replace(":", "")),) for mac in self._joined]
        if param == "rssi":
            raise OSError("STA required")
        if param is not None:
            raise ValueError("unknown status param")

    def connect(self, *_, **__):
        raise OSError("Wifi Not Started")

    def ifconfig(self, config=None):
        if config is None:
            return self._address
        if not isinstance(config, (tuple, list)):
            raise ValueError("invalid arguments")
        self._address = tuple(config)

    def config(self, *param, **config):
        self._update()
        if not config:
            return super().config(*param)
        # All at once, or nothing: one call of the driver's.
        former = dict(self._config)
        try:
            super().config(*param, **config)
            if not self._active:
                raise OSError("Wifi Invalid Mode")
            self._check_security()
        except (OSError, ValueError, RuntimeError):
            self._config.update(former)
            raise
        if self._config != former:
            self._leave(self._joined, "left")  # the network starts anew
            self._refused.clear()
            self._update()

    def _set(self, name, value):
        name = _BOTH.get(name, name)
        if name in ("ssid", "key"):
            value = value.encode() if isinstance(value, str) else value
            value = value[: 32 if name == "ssid" else 63].decode()
        super()._set(name, value)

    def _get(self, name):
        name = _BOTH.get(name, name)
        if name == "key":
            raise ValueError("unknown config param")
        return self._now() if name == "channel" else super()._get(name)

    def _check_security(self):
        mode, key = self._config["authmode"], self._config["key"]
        if mode == _WEP:
            raise RuntimeError("Wifi Unknown Error 0x0102")
        if mode != _OPEN and len(key) < 8:
            raise OSError("Wifi Invalid Password")

    def _now(self):
        # There is one radio: a station that is in a network takes ours along to its channel.
        return self._channel() or self._config["channel"]

    def _update(self):
        wanted = {}
        if self._active:
            for station in self._inputs.get().get("stations", ()):
                wanted[station["mac"]] = station
        channel = self._now()
        # A phone follows to another channel, unless it has missed where to.
        self._leave([mac for mac in self._joined if mac not in wanted], "left")
        self._leave([mac for mac, met in self._joined.items()
                     if met != channel and wanted[mac].get("deaf")], "lost")  # fmt: skip
        for mac in [mac for mac in self._refused if mac not in wanted]:
            self._refused.remove(mac)
        for mac, station in wanted.items():
            if mac not in self._joined and mac not in self._refused:
                self._meet(mac, station.get("psk", ""), channel)

    def _meet(self, mac, psk, channel):
        is_open = self._config["authmode"] == _OPEN
        if is_open and psk:
            return  # it looks for another network
        if not is_open and psk != self._config["key"]:
            why = "wrong passphrase"
        elif len(self._joined) >= self._config["max_clients"]:
            why = "no more clients"
        else:
            self._joined[mac] = channel
            self._tell(b"S %s joined\n" % mac.encode())
            return
        self._refused.append(mac)
        self._tell(b"S %s refused: %s\n" % (mac.encode(), why.encode()))

    def _leave(self, macs, how):
        for mac in list(macs):
            del self._joined[mac]
            if how == "lost":
                self._refused.append(mac)
            self._tell(b"S %s %s\n" % (mac.encode(), how.encode()))
