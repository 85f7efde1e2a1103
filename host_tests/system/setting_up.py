"""A board that nobody has provisioned, and a phone in its own network."""

from __future__ import annotations

import json
import re
import time
import urllib.parse

from flyve_mdm.board.phone import Phone
from flyve_mdm.patience import stretched
from host_tests.kit.boards.virtual import JOIN_MS, PSK, SCAN_MS, SETUP_PSK, SSID

OPEN = r"setup: network Flyve-[0-9A-F]{4} is open"
HOME = "http://192.168.4.1/"


class Setting:
    """The device, its phone, and what the person with the phone does."""

    def __init__(self, device):
        self.device = device
        self.phone = None

    def prepare(self, wifi=(), aps=None, **settings):
        """What lies on the board before its first start: settings, and networks if any."""
        known = {"ntp": [self.device.backend.ntp], "reconnect_spread": 1, "stable": 1}
        files = {"/config.json": json.dumps({**known, **settings}).encode()}
        entries = {}
        if wifi:
            entries["flyve", "wifi"] = json.dumps(list(wifi)).encode()
        if self.device.backend.ca_der:
            files["/ca.der"] = self.device.backend.ca_der.read_bytes()
        self.device.board.change(files, entries)
        self.air(aps)
        return self

    def air(self, aps=None):
        """The networks in the air from now on."""
        self.device.board.set_air({SSID: PSK} if aps is None else aps, JOIN_MS, scan_ms=SCAN_MS)

    def start(self, **how):
        """Switches the board on; returns when the phone has joined its network."""
        self.device.start(**how)
        self.joined()
        return self

    def joined(self):
        """The phone joins the board's network; by itself, if it was there before."""
        again = self.phone is not None
        self.phone = Phone(self.device.board, self.device.run)
        self.phone.ports()
        assert again or self.phone.join(SETUP_PSK) == "joined"

    def page(self):
        """The page as text."""
        status, _, page = self.phone.request()
        assert status == 200
        return page.decode()

    def shows(self, text, timeout=20):
        """Waits until the page has the text; returns it."""
        end = time.monotonic() + stretched(timeout)
        while text not in (page := self.page()):
            assert time.monotonic() < end, page
            time.sleep(0.05)
        return page

    def arrives(self):
        """Waits until the page says that the board has joined, and it is online."""
        self.shows("Joined ")
        self.device.online(30)

    def networks(self):
        """The networks that the board has kept."""
        found = {key: value for _, key, _, value in self.device.board.nvs()}
        return json.loads(found["wifi"])

    def invite(self, email="user@example.org", **more):
        """An administrator invites; returns the deeplink."""
        link = self.device.backend.invite(email, **more)
        self.device.deeplinks.append(link)
        return link

    def tap(self, link):
        """Opens a link on the phone; returns status and where it leads."""
        parts = urllib.parse.urlsplit(link)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        status, headers, _ = self.phone.request(path, host=parts.hostname)
        return status, headers.get("location")

    def token(self):
        """What the page wants to have back."""
        return re.search(r'name="?form"? value="(\w+)"', self.page())[1]

    def send(self, form=None, **fields):
        """Fills the form in and presses the button; returns status and page. form: the token of
        an older page."""
        fields = {"form": form or self.token(), "ssid": SSID, "psk": PSK, **fields}
        status, _, page = self.phone.request("/", "POST", urllib.parse.urlencode(fields))
        return status, page.decode()
