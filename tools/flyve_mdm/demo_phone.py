"""`flyve demo --phone`: a board that was just unpacked, and a person with a phone and a mail."""

from __future__ import annotations

import time
import urllib.parse
from html.parser import HTMLParser

from flyve_mdm.board import invited, setup_network
from flyve_mdm.board.phone import Phone
from flyve_mdm.patience import stretched
from flyve_mdm.story import EMAIL, WAIT, Missing, Story
from flyve_mdm.text import for_board


class Page(HTMLParser):
    """What a person sees of the page, and what the form sends without being asked."""

    def __init__(self, text: str):
        super().__init__()
        self.title, self.state, self.networks = "", [], []
        self.hidden: dict[str, str] = {}
        self._inside = ""
        self._deep = 0  # in #state
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self._inside = tag
        if tag == "div":
            self._deep += bool(self._deep or found.get("id") == "state")
        if found.get("type") == "hidden":
            self.hidden[found["name"]] = found["value"]
        if found.get("name") == "ssid" and found["value"]:
            self.networks.append(found["value"])
        if self.networks and tag == "i":
            self.networks[-1] += f" ({found['aria-label']})"

    def handle_endtag(self, tag):
        self._inside = ""
        if tag == "div" and self._deep:
            self._deep -= 1

    def handle_data(self, text):
        if self._inside == "title":
            self.title += text
        elif self._deep and text.strip():
            self.state.append(text.strip())


class ByPhone(Story):
    """The phone speaks real HTTP and DNS with the board; the person knows what is on the board's
    label, in the mail, and the passphrase of the Wi-Fi."""

    def play(self) -> None:
        """Tells the story. Raises Missing at the first step that the backend did not see."""
        _, psk = setup_network.ensure(self.board)
        settings = {"ntp": [self.backend.ntp], "reconnect_spread": 1}
        files = {"/config.json": for_board(settings, "the settings")}
        if self.backend.ca_der:
            files["/ca.der"] = self.backend.ca_der.read_bytes()
        self.board.change(files)
        self.link = self.backend.invite(EMAIL)
        self.timeline.tell("demo", "the board is unpacked, and has power")
        start = time.monotonic()
        with self.board.start() as run:
            self.follow(run)
            run.wait_log("setup: network .* is open", WAIT)
            phone = Phone(self.board, run)
            network = setup_network.name(self.board.mac)
            self._tell(f"joins {network} by the QR code of the label: {phone.join(psk)}")
            self._tap(phone)
            self._send(phone)
            self._wait(phone, "Joined")
            self.expect(
                "session opened", "full session read", "profile switched", "agent created",
                "credentials given", "session killed", "online",
            )  # fmt: skip
            run.wait_log("link: online", WAIT)
            took = time.monotonic() - start
            if run.setup:
                raise Missing("the board's own network is still open")
            self.timeline.tell("demo", f"online {took:.0f} s after power-on, without a command")
        self.timeline.tell("demo", "every step was seen by the backend")

    def _tell(self, what: str) -> None:
        self.timeline.tell("phone", what)

    def _tap(self, phone: Phone) -> None:
        """The link of the mail, as a phone opens it."""
        link = urllib.parse.urlsplit(self.link)
        address = phone.lookup(link.hostname)
        self._tell(f"taps the link in the mail, {self.link[:40]}...: {link.hostname} is {address}")
        path = f"{link.path}?{link.query}"
        status, headers, _ = phone.request(path, host=link.hostname)
        self._tell(f"is led to {headers.get('location')} ({status})")

    def _send(self, phone: Phone) -> None:
        """The form."""
        page = self._look(phone)
        self._tell(f"sees: {page.title}; networks: {', '.join(page.networks)}")
        fields = {**page.hidden, "ssid": invited.SSID, "psk": invited.PSK, "email": EMAIL}
        status, *_ = phone.request("/", "POST", urllib.parse.urlencode(fields))
        self._tell(f"sends network, passphrase and {EMAIL} ({status})")

    def _wait(self, phone: Phone, wanted: str) -> None:
        """Looks again and again, as the page does by itself, until it says that."""
        shown, end = "", time.monotonic() + stretched(WAIT)
        while wanted not in shown:
            if time.monotonic() > end:
                raise Missing(f"the page has not said {wanted!r} within {stretched(WAIT):g} s")
            state = " - ".join(self._look(phone).state[:2])
            if state != shown:
                self._tell(f"sees: {state}")
            shown = state
            time.sleep(0.5)

    def _look(self, phone: Phone) -> Page:
        return Page(phone.request()[2].decode())
