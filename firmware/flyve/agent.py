"""The agent's loop: one thread, one job at a time, and never a wait without a deadline.

A job is a generator that yields after each short piece of work. Between two pieces the link is
pumped, so the broker gets its answers while, say, a file comes in.
"""

import os
import time

from micropython import const

from flyve import board, log, resident, transport
from flyve.backoff import Retry
from flyve.record import RecordError
from flyve.wifi import Wifi

_WATCHDOG_MS = const(60000)
_CONSOLE_MS = const(3600000)
_IDLE_MS = const(1000)  # longest sleep of the loop
_SHORT_MS = const(20)  # sleep while the Wi-Fi connects or an application runs
_PRESS_MS = const(5000)  # of BOOT, for a reset without the backend
_STABLE_MS = const(300000)  # a crash later than that has another cause than the start
_DEEPLINK_MS = const(5000)  # how often to look for a deeplink
_RESYNC_S = const(86400)
_REPORTS = const(32)  # that wait for REST; the oldest goes
_STARVED = const(3)  # jobs that may run out of memory


class Agent:
    """Everything that lives as long as the board is on. settings: of config.load()."""

    def __init__(self, settings, rec):
        self.settings = settings
        self.rec = rec
        self.wifi = Wifi()
        self.link = None  # online.py's, once enrolled
        self.position = None  # a function that returns (latitude, longitude) or None
        self.session = None  # of the agent's own account, while one is open
        self.apps = None  # apps.py's, once there are any
        self.restarting = False  # an update waits for it
        self.refusals = 0  # of the backend, while the broker refuses us, too
        self.reports = None  # a list of what to tell over REST, if that is wanted
        self.by_mqtt = True  # whether answers go over MQTT
        self.user = settings["user"]  # the user's data in GLPI, as user.py wants it
        self._online = None
        self._job = None
        self._done = None
        self._clock = Retry()
        self._invited = Retry()
        self._told = False
        self._starved = 0
        self._young = True  # not yet stable
        update = resident.load("update")
        self._trial = update.on_trial()
        self.crashes = update.crashes()
        if update.safe_mode():
            log.error("agent", "safe mode after %d crashes: no applications", self.crashes)
        self._button = board.button(settings["button"])
        self._held = None  # since when
        transport.hook = self.pump

    def pump(self):
        """What may happen in the middle of any wait: answers, never requests."""
        if self.link:
            self.link.pump()

    def run(self):
        """The loop; returns never."""
        board.watchdog(_WATCHDOG_MS)
        self.refresh_apps()
        self._show_lock()
        while True:
            try:
                self.step()
            except MemoryError:
                self._job = self._done = None
                if self._online:
                    self._online.idle()
                self._short_of_memory()

    def step(self):
        """One turn: applications, Wi-Fi, link, a piece of a command and of a job, or a wait."""
        board.feed()
        self._age()
        self._watch_button()
        if self.apps:
            self.apps.step(self._job is None)
        if not self.wifi.step():
            if self.link:
                self.link.drop(transport.NetError("network", "the Wi-Fi is gone"))
            time.sleep_ms(_SHORT_MS)
            return
        self.pump()
        busy = self._online is not None and self._online.step()
        if self._job is None:
            self._choose()
        idle = _IDLE_MS
        if self._job is not None:
            idle = self._advance()
        if idle and not busy:
            self._rest(idle)

    def _rest(self, idle):
        """Waits until something is due, or something comes in; at most idle milliseconds."""
        left = min(idle, self._clock.left())
        if self.apps and self.apps.active:
            left = min(left, _SHORT_MS)
        if self._online:
            left = min(left, self._online.left())
        else:
            left = min(left, self._invited.left())
        if self.link and not self.link.down:
            self.link.wait(max(1, left))
        else:
            time.sleep_ms(max(1, min(_SHORT_MS, left)))

    def _choose(self):
        """Picks the next job, if there is one; `done(failure)` is called at its end."""
        if self._clock.left() <= 0:
            self._job, self._done = self._set_clock(), self._clock_done
        elif self._online:
            self._job, self._done = self._online.job()
        elif self.rec.get("state") in ("enrolled", "leaving"):
            self._online = resident.load("online").Online(self)
        elif self._invited.left() <= 0:
            self._job, self._done = self._enroll(), self._enroll_done

    def _advance(self):
        """Goes on with the job; returns how long it has nothing to do, in ms."""
        try:
            return next(self._job)
        except StopIteration:
            failure = None
            self._starved = 0
        except MemoryError as e:
            failure = e
            self._short_of_memory()
        except Exception as e:  # whatever it was: the loop goes on
            failure = e
        done = self._done
        self._job = self._done = None
        resident.drop()
        done(failure)
        return 0

    def _short_of_memory(self):
        resident.drop()
        self._starved += 1
        if self._starved > _STARVED:
            self.restart("out of memory")  # fragmented: only a restart mends it

    def _age(self):
        """What depends on how long the board has been up."""
        up = log.uptime()
        if self._trial and up > self.settings["trial"] * 1000:
            if resident.load("update").on_trial():
                self.restart("the update did not come online in time")
            self._trial = False
        if self._young and up > _STABLE_MS:
            self._young = False
            resident.load("update").stable()

    def _watch_button(self):
        """A long press of BOOT makes the board blank again, without the backend."""
        now = log.uptime()
        if not self._button():
            self._held = None
        elif self._held is None:
            self._held = now
        elif now - self._held > _PRESS_MS:
            log.warn("agent", "reset by its button")
            self.end()
            board.reset()

    def end(self, state=None):
        """The enrollment is over: erases what it brought, and leaves the state in the record."""
        if self.link and self.link.up:
            self.link.close()
        resident.load("erase").enrollment(self.rec, self.settings, state)

    def lock(self, on):
        """Locks or unlocks the board: its applications pause, its LED shows it."""
        self.rec.save(lock=on or None)
        self._show_lock()

    def _show_lock(self):
        on = bool(self.rec.get("lock"))
        if self.apps:
            self.apps.pause(on)
        if self.settings["led"] is not None:
            board.led(self.settings["led"], on)

    def health(self):
        """How the board fares: texts and numbers for the inventory, by name."""
        return {
            "crashes": self.crashes,
            "reconnects": max(0, self.link.connects - 1) if self.link else 0,
            "lowest heap": resident.low,
            "error": self.rec.get("error", ""),
        }

    def refresh_apps(self, name=None):
        """Starts the applications that are installed and ends those that are not, or are another
        version now; name: one that has just changed."""
        if self.apps is None:
            try:
                os.stat("/apps")
            except OSError:
                return
            self.apps = resident.load("apps").Apps(self)
            self._show_lock()
        if name:
            self.apps.stop(name)
        self.apps.refresh()

    def app_failed(self, name):
        """An application was stopped because it raises."""
        if self._online:
            self._online.app_failed(name)

    # The clock

    def _set_clock(self):
        yield from resident.load("clock").sync(self.settings["ntp"])

    def _clock_done(self, failure):
        if failure:
            self.report("clock", failure)
            self._clock.failed()
            return
        self._clock.after(_RESYNC_S * 1000)
        # The record's time is a floor for the next boot: a day more or less does no harm.
        if time.time() - self.rec.get("time", 0) > _RESYNC_S:
            self.rec.save(time=time.time())
        transport.floor = max(transport.floor, self.rec.get("time", 0))

    # Enrollment

    def _enroll(self):
        invitation = resident.load("invitation")
        if not invitation.waiting():
            self._wait_for_deeplink()
            return
        self._told = False
        try:
            yield from resident.load("enrollment").run(self.rec, self.settings)
        except invitation.Refused as e:
            invitation.refuse(self.rec, e)
        self._invited.after(0)

    def _wait_for_deeplink(self):
        self._invited.after(_DEEPLINK_MS)
        if not self._told:
            self._told = True
            if self.rec.get("state") in ("invited", "created"):
                log.error("enrollment", "the deeplink is gone: provision it again")
            log.info("agent", "waiting for a deeplink")

    def _enroll_done(self, failure):
        if failure:
            self.report("enrollment", failure)
            log.info("enrollment", "next try in %d ms", self._invited.failed())

    def answer(self, topic, payload, kind, *facts):
        """Tells the backend something, over MQTT below its Status topic, over REST, or both; see
        report.send()."""
        if self.by_mqtt:
            self.link.say(self.link.topic + "/Status/" + topic, payload)
        self.tell(kind, *facts)

    def tell(self, kind, *facts):
        """Tells the backend something over REST, if it is to be told so; see report.send()."""
        if self.reports is not None:
            if len(self.reports) >= _REPORTS:
                self.reports.pop(0)
            self.reports.append((kind,) + facts)

    def report(self, area, failure):
        """Logs a failed job's exception and keeps its text in the record."""
        known = isinstance(failure, OSError) or hasattr(failure, "code")
        text = str(failure) if known else repr(failure)
        log.warn(area, "%s", text)
        try:
            self.rec.save(error=log.redact(text)[:160])
        except (OSError, RecordError) as e:
            log.error("record", "%s", e)

    def restart(self, why):
        """Says goodbye to the broker and restarts the board."""
        log.warn("agent", "%s: restarting", why)
        if self.link and self.link.up:
            self.link.close()
        board.reset()


def main():
    """Builds the parts and runs them for ever."""
    parts = resident.load("startup").prepare()
    resident.drop()
    try:
        if parts:
            Agent(*parts).run()
    except KeyboardInterrupt:
        # Somebody wants the prompt: the watchdog cannot be stopped, only slowed down.
        board.watchdog(_CONSOLE_MS)
        raise
