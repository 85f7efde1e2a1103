"""The agent's loop: one thread, one job at a time, and never a wait without a deadline.

A job is a generator that yields after each short piece of work, or yields the milliseconds for
which it has nothing to do. Between two pieces the link is pumped, so the broker gets its answers
while, say, a file comes in.
"""

import os
import time

from micropython import const

from flyve import board, log, resident, transport
from flyve.backoff import Retry
from flyve.record import RecordError
from flyve.text import cut
from flyve.wifi import Wifi

_WATCHDOG_MS = const(60000)
_CONSOLE_MS = const(3600000)
_IDLE_MS = const(1000)  # longest sleep of the loop
_SHORT_MS = const(20)  # sleep while the Wi-Fi connects or an application runs
_PRESS_MS = const(5000)  # of BOOT, for a reset without the backend
_STABLE_MS = const(300000)  # a crash later than that has another cause than the start
_REPORTS = const(32)  # that wait for REST; the oldest goes
_STARVED = const(3)  # jobs that may run out of memory


class Agent:
    """Everything that lives as long as the board is on; made of what startup.prepare() returns."""

    def __init__(self, settings, rec, trial, crashes, button):
        self.settings = settings
        self.rec = rec
        self.wifi = Wifi()
        self.link = None  # online.py's, once enrolled
        self.position = None  # a function that returns (latitude, longitude) or None
        self.session = None  # of the agent's own account, while one is open
        self.apps = None  # apps.py's, once there are any
        self.restarting = False  # an update waits for it
        self.refusals = 0  # of the backend, while the broker refuses us, too
        self.spent = {}  # leaving.py's, which outlives its jobs
        self.reports = None  # a list of what to tell over REST, if that is wanted
        self.by_mqtt = True  # whether answers go over MQTT
        self.user = settings["user"]  # the user's data in GLPI, as report.py wants it
        self.clock = Retry()
        self.invited = Retry()
        self.told = False  # that it waits for a deeplink
        self.due = 0  # when an inventory is due that tells why a task failed, by the uptime
        self.rested = self.pause = 0  # not before, for so long it has rested (failures.py)
        self._online = None
        self._job = self._area = None
        self._asking = None  # clock.py's, beside the job: that may wait for the time for ever
        self._starved = 0
        self._young = True  # not yet stable
        self._trial, self.crashes = trial, crashes
        self._button = button
        self._held = None  # since when
        transport.hook = self.pump

    def pump(self):
        """What may happen in the middle of any wait: answers, never requests."""
        if self.link:
            self.link.pump()

    def run(self):
        """The loop; returns never."""
        self.refresh_apps()
        while True:
            try:
                self.step()
            except MemoryError:
                self._job = None
                if self._online:
                    self._online.idle()
                self._short_of_memory()

    def step(self):
        """One turn: applications, Wi-Fi, link, a piece of a command and of a job, or a wait."""
        board.feed()
        self._look_after()
        if self.apps:
            self.apps.step(self._job is None)
        if not self.wifi.step():
            if self.link:
                self.link.drop(transport.NetError("network", "the Wi-Fi is gone"))
            time.sleep_ms(_SHORT_MS)
            return
        self.pump()
        busy = self._online is not None and self._online.step()
        if self._ask_time():
            busy = True
        elif self._job is None:
            self._choose()
        idle = _IDLE_MS
        if self._job is not None:
            idle = self._advance()
        if idle and not busy:
            self._rest(idle)

    def _rest(self, idle):
        """Waits until something is due, or something comes in; at most idle milliseconds."""
        left = min(idle, self.clock.left())
        if self._held is not None or self.apps and self.apps.active:
            left = min(left, _SHORT_MS)
        if self._online:
            left = min(left, self._online.left())
        else:
            left = min(left, self.invited.left())
        if self.link and not self.link.down:
            self.link.wait(max(1, left))
        else:
            time.sleep_ms(max(1, min(_SHORT_MS, left)))

    def _choose(self):
        """Picks the next job, if there is one."""
        if self._online:
            self._job, self._area = self._online.job(), "online"
        elif self.rec.get("state") in ("enrolled", "leaving"):
            self._online = resident.load("online").Online(self)
        elif self.invited.left() <= 0:
            self._job, self._area = self.load("invitation", "run"), "enrollment"

    def _ask_time(self):
        """Asks for the time when that is due, beside whatever job; True while it is at that."""
        if self._asking is None:
            if self.clock.left() > 0:
                return False
            self._asking = self.load("clock", "sync")
        try:
            next(self._asking)
            return True
        except StopIteration:
            pass
        except Exception as e:
            self.report("clock", e)
            log.info("clock", "next try in %d ms", self.clock.failed())
        self._asking = None
        resident.drop("clock", "dial", "chip")
        return False

    def load(self, module, name, *args):
        """A job out of a module that is loaded for it; it gets the agent first."""
        yield from getattr(resident.load(module), name)(self, *args)

    def _advance(self):
        """Goes on with the job; returns how long it has nothing to do, in ms."""
        failure = None
        try:
            return next(self._job)
        except StopIteration:
            self._starved = 0
        except MemoryError as e:
            failure = e
            self._short_of_memory()
        except Exception as e:  # whatever it was: the loop goes on
            failure = e
        self._job = None
        resident.drop()
        if failure:
            self.report(self._area, failure)
        if self._area == "online":
            self._online.ended(failure)
        elif failure:
            log.info(self._area, "next try in %d ms", self.invited.failed(failure))
        return 0

    def _short_of_memory(self):
        resident.drop()
        self._starved += 1
        if self._starved > _STARVED:
            self.restart("out of memory")  # fragmented: only a restart mends it

    def _look_after(self):
        """What depends on how long the board is up, or its button is held."""
        up = log.uptime()
        if self._trial and up > self.settings["trial"] * 1000:
            if resident.load("update").on_trial():
                self.restart("the update did not come online in time")
            self._trial = False
        if self._young and up > _STABLE_MS:
            self._young = False
            resident.load("update").stable()
        if self._button():
            self._held = None
        elif self._held is None:
            self._held = up
        elif up - self._held > _PRESS_MS:
            resident.load("invitation").discard()
            resident.load("leaving").end(self)
            self.restart("reset by its button", True)

    def refresh_apps(self, name=None):
        """Starts the applications that are installed and ends those that are not, or are another
        version now; name: one that has just changed."""
        if self.apps is None:
            try:
                os.stat("/apps")
            except OSError:
                return
            self.apps = resident.load("apps").Apps(self)
        if name:
            self.apps.stop(name)
        self.apps.refresh()

    def app_failed(self, name, why):
        """An application was stopped; why: e.g. that it raised, and what."""
        if self._online:
            self._online.failed.append((name, why))

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
        text = log.reason(failure) if known else repr(failure)
        log.warn(area, "%s", text)
        try:
            self.rec.save(error=cut(log.redact(text), 160))
        except (OSError, RecordError) as e:
            log.error("record", "%s", e)

    def restart(self, why, wanted=False):
        """Says goodbye to the broker and restarts the board; wanted: see board.reset()."""
        log.warn("agent", "%s: restarting", why)
        if self.link and self.link.up:
            self.link.close()
        board.reset(wanted)


def main():
    """Builds the parts and runs them for ever."""
    board.watchdog(_WATCHDOG_MS)
    try:
        parts = resident.load("startup").prepare()
        resident.drop()
        if parts:
            Agent(*parts).run()
        board.watchdog(_CONSOLE_MS)
    except KeyboardInterrupt:
        # Somebody wants the prompt: the watchdog cannot be stopped, only slowed down.
        board.watchdog(_CONSOLE_MS)
        raise
