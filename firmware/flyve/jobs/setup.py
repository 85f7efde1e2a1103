"""The set-up: while the board waits for somebody it opens a network of its own, with the page.

In the agent's loop it takes the place of wifi.Wifi. It ends by a restart: nothing of it is in
memory when the board enrolls.
"""

import os

from micropython import const

from flyve import log, memory
from flyve.jobs import setup_answer
from flyve.wifi import Wifi

_OPEN_MS = const(600000)  # while nobody is there
_HELD_MS = const(1200000)  # longer, while a phone is joined that asks for nothing
_READ_MS = const(60000)  # after the last look at the page it is read
_LOOK_MS = const(1000)
_AGAIN_MS = const(30000)  # after a fault it opens again
_PRESS_MS = const(50)  # of BOOT, at least
# Until the restart, for the page to tell of it: the board may have taken its own network along to
# another channel, and the phone has to find it there.
_TELL_MS = const(30000)
_TOLD_MS = const(3000)  # after it has told


class Setup:
    """Call step() often; it waits for nothing but a scan of the air, which takes the driver some
    2 s."""

    def __init__(self, agent, station):
        self._agent = agent
        self._sta = station
        self._wifi = Wifi(station)
        self.up = False
        self._held = None  # BOOT, since when
        self._due = None  # when it is to open by itself
        self._looked = self._opened = 0
        self._busy = self._read = self._late = False
        self._end = None  # when the board is to restart
        self._ap = self._dns = self._http = self._box = None
        self._open()

    def address(self):
        """As wifi.Wifi's."""
        return self._wifi.address()

    def step(self):
        """Goes on with whatever is due; returns True while connected, and nobody is at the page:
        then the agent does what it does without one."""
        agent = self._agent
        now = log.uptime()
        pressed = self._pressed(now)
        if not self._ap:
            if agent.rec.get("state") == "enrolled":
                agent.begin_anew("wifi")  # without all of this
            elif pressed and not _invited() or self._due and now >= self._due:
                self._open()
        if not self._ap:
            self.up = self._wifi.step()
            return self.up
        try:
            self._go_on(now)
        except Exception as e:
            log.error("setup", "the page is closed: %r", e)
            self._close()
            self._due = now + _AGAIN_MS
        box = self._box
        return self.up and not (self._busy or box and (box["plan"] or box["invited"]))

    def _pressed(self, now):
        """True when BOOT was held for a short time; agent.py sees to a long one."""
        try:
            held = not self._agent.button()
        except Exception:
            held = False
        if held:
            if self._held is None:
                self._held = now
            return False
        since, self._held = self._held, None
        return since is not None and now - since >= _PRESS_MS

    def _open(self):
        self._late = not self._sta.isconnected()
        self._opened = log.uptime()
        self._due = None
        try:
            from flyve.jobs import setup_open

            found = setup_open.begin(self._agent, self._sta, self._answer)
            self._box, self._ap, self._dns, self._http = found
            self._light("setup")
        except Exception as e:
            self._due = log.uptime() + _AGAIN_MS
            log.error("setup", "no network of our own: %s", e)
            memory.drop("captive_dns", "http_server")
        finally:
            setup_open = None
            memory.drop("setup_open", "setup_facts", "wifi_scan", "access_point", "board_facts")

    def _light(self, what):
        if self._agent.settings.get("led") is None:
            return
        try:
            from flyve.jobs import led

            led.show(what)
        except MemoryError:
            pass  # only the LED is wrong
        finally:
            led = None
            memory.drop("led")

    def _answer(self, request):
        return setup_answer.answer(self._box, request, self._make_room)

    def _make_room(self):
        """What else is at work goes, and begins anew when nobody reads the page any more."""
        self._read = self._busy = True  # _look() comes too late
        if not self.up:
            self._wifi = Wifi(self._sta)
        self._agent.begin_anew("clock")
        memory.drop("setup_join", "wifi_join", "clock")

    def _go_on(self, now):
        self._dns.step()
        self._http.step()
        box = self._box
        if self._end is not None:
            self._finish(now)
        elif self._http.answering:
            pass  # that has the memory
        elif box["plan"]:
            self._advance(now)
        elif self.up or box["known"] and not self._read:
            # A try of the station takes the radio away from who reads the page.
            self.up = self._wifi.step()
        if box["again"]:
            box["again"] = False
            self._scan()
        if now - self._looked >= _LOOK_MS:
            self._looked = now
            self._look(now)

    def _scan(self):
        try:
            from flyve.jobs import wifi_scan

            self._box["networks"] = wifi_scan.scan(self._sta)
        finally:
            wifi_scan = None
            memory.drop("wifi_scan")

    def _look(self, now):
        """Whether somebody is there, and whether the page is to go on."""
        box, agent = self._box, self._agent
        phones = self._phones()
        asked = box["asked"]
        self._read = asked is not None and now - asked < _READ_MS
        self._busy = self._read or phones > 0
        if box["plan"]:
            return
        if box["shows"] in ["new", "away"]:
            away = not self.up and box["known"]
            box["shows"] = "away" if away else "new"
            box["why"] = "The board is in none of the networks that it knows." if away else ""
            box["todo"] = "Choose one, or switch that one on." if away else ""
        over = now > (asked or self._opened) + _OPEN_MS + (_HELD_MS if phones else 0)
        if not box["invited"]:
            if _invited():
                agent.restart("a deeplink has come", True)
            elif over:
                log.info("setup", "network %s is closed: BOOT opens it", box["network"])
                self._close()
                self._light("off")
        elif over or self._late and self.up and not self._busy:
            agent.restart("the backend is tried again", True)

    def _phones(self):
        """How many have joined."""
        try:
            return len(self._ap.status("stations"))
        except (OSError, ValueError):
            return 0

    def _advance(self, now):
        """Goes on with what was sent."""
        box = self._box
        if not box["join"]:
            self._wifi = Wifi(self._sta)  # without a try of its own
            memory.drop("wifi_join")
            self._light("joining")
        from flyve.jobs import setup_join

        if setup_join.step(self._sta, box):
            setup_join = None
            memory.drop("setup_join")
            if box["shows"] == "joined":
                self._end = now + _TELL_MS
            else:
                self.up = False
                self._light("trouble")

    def _finish(self, now):
        box = self._box
        if box["told"]:
            box["told"] = False
            self._end = min(self._end, now + _TOLD_MS)
        if now > self._end:
            self._agent.restart("set up", True)

    def _close(self):
        wlan, dns, http = self._ap, self._dns, self._http
        self._ap = self._dns = self._http = self._box = None
        self._busy = self._read = False
        for part in (http, dns):
            try:
                part.close()
            except OSError:
                pass
        try:
            wlan.active(False)
        except OSError:
            pass  # it is off, then
        dns = http = part = None
        memory.drop("setup_join", "captive_dns", "http_server")


def _invited():
    """As invitation.waiting(), whose module would come and go each second."""
    try:
        return os.stat("/deeplink")[6] > 0
    except OSError:
        return False
