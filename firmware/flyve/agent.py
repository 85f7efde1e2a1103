"""The agent's loop: one thread, one job at a time, and never a wait without a deadline.

A job is a generator that yields after each short piece of work, or yields the milliseconds for
which it has nothing to do. Between two pieces the link is pumped, so the broker gets its answers
while, say, a file comes in.

No exception ends the loop: the part that raised it is begun anew by mending.py, and is left alone
for a while when it raises again; the others go on.
"""

import gc
import os
import select
import sys
import time

from micropython import const

from flyve import board, log, memory, transport
from flyve.backoff import Retry

_WATCHDOG_MS = const(60000)
_CONSOLE_MS = const(3600000)
_IDLE_MS = const(1000)  # longest sleep of the loop
_SHORT_MS = const(20)  # sleep while the Wi-Fi connects or an application runs
_PRESS_MS = const(5000)  # of BOOT, for a reset without the backend
_GARBAGE = const(4096)  # bytes until the next collection
_STARVED = const(3)  # jobs that may run out of memory
_CRASH_MS = const(10000)  # before the restart after a start that failed


# Each job is imported when it begins, and what fails then has failed in it.


def _enroll(agent):
    from flyve.jobs import enrollment

    agent.told = yield from enrollment.run(agent)


class Pressed(BaseException):
    """BOOT was held long enough. No job catches it: whatever waits is given up."""


class Agent:
    """Everything that lives as long as the board is on; made of what startup.prepare() returns."""

    # Here, for an object's own attributes take memory: what most boards never change.
    position = None  # a function that returns (latitude, longitude) or None
    apps = None  # apps.py's, once there are any
    pressed = False  # BOOT was held for long: mending.py makes the board blank

    def __init__(self, settings, rec, trial, crashes, button):
        self.settings = settings
        self.rec = rec
        # The user's data in GLPI, as report.py wants it, until they are told.
        self.user = settings.get("user")
        self.notes = {}  # what an enrolled agent's jobs are to remember, see online.Online
        self.wifi = None
        self.online = None  # online.py's, once enrolled
        self.clock = Retry()
        self.invited = Retry()
        self.told = False  # that it waits for a deeplink
        self.job = self.area = None
        self.asking = None  # clock.py's, beside the job: that may wait for the time for ever
        self.part = ""  # of the loop, which is at hand
        self.ill = {}  # part -> mending.py's note of one that has raised
        self.refresh = True  # the applications are to be started
        self.fault = None  # of the link, in the middle of a wait
        self._starved = 0
        self._settled = 1  # when update.settle() is to look; None: never again
        self.trial, self.crashes = trial, crashes  # trial: an update is to prove itself
        self.button = button
        self._keys = select.poll()
        self._keys.register(sys.stdin, select.POLLIN)
        self._held = None  # since when
        transport.attend(self.pump, self.watch)

    def pump(self):
        """What may happen in the middle of any wait: answers, never requests."""
        try:
            if self.online:
                self.online.link.pump()
        except (KeyboardInterrupt, Pressed):
            raise
        except BaseException as e:  # not the waiting job's fault: step() looks into it
            self.fault = e

    def watch(self):
        """Looks at BOOT, in each slice of any wait; raises Pressed once it was held for long."""
        up = log.uptime()
        try:
            held = not self.button()
        except Exception:
            held = False
        if not held:
            self._held = None
        elif self._held is None:
            self._held = up
        elif up - self._held > _PRESS_MS:
            self.pressed = True
        if self.pressed:
            self.part = "button"
            raise Pressed

    def run(self):
        """The loop; returns never, but for a KeyboardInterrupt."""
        while True:
            try:
                self.step()
                continue
            except KeyboardInterrupt:
                raise
            except BaseException as e:
                raised = e
            # Goes on after an exception of the part at hand.
            try:
                if isinstance(raised, MemoryError):
                    self._short_of_memory()
                from flyve.jobs import mending

                mending.mend(self, raised)
                mending = None
                memory.drop("mending")
            except KeyboardInterrupt:
                raise
            except BaseException as failed:
                # Not even for that is there the memory, or the flash: it begins anew as it can.
                self.job = None
                try:
                    log.error("agent", "%s: %r, not mended: %r", self.part, raised, failed)
                    self._short_of_memory()
                    time.sleep_ms(_IDLE_MS)
                except Exception:
                    pass
            raised = None  # its class may hold a job's module

    def begin_anew(self, part):
        """Gives up a part of the loop, or the job or command at hand: it is made anew."""
        if part == "wifi":
            self.wifi = None
        elif part == "clock":
            self.asking = None
        elif part == "apps":
            apps, self.apps = self.apps, None
            self.refresh = True
            if apps:
                apps.end()
        else:
            self.job = None
            if part == "online":
                self.online = None
            elif self.online:
                self.online.idle()
            memory.drop()

    def _fit(self, part):
        """Notes the part that is at hand; False while it is left alone after a fault."""
        self.part = part
        ill = self.ill.get(part)
        return not ill or ill.left() <= 0

    def step(self):
        """One turn: applications, Wi-Fi, link, a piece of a command and of a job, or a wait."""
        self.part = "board"
        board.feed()
        if self._fit("button"):
            self.watch()
        if self._fit("console"):
            self._hear()
        if self._settled and log.uptime() >= self._settled and self._fit("update"):
            self._settle()
        if self._fit("apps"):
            if self.refresh:
                self.refresh_apps()
            if self.apps:
                self.apps.step(self.job is None)
        if self._fit("wifi"):
            if self.wifi is None:
                from flyve.jobs import connecting

                self.wifi = connecting.begin(self)
            if not self.wifi.step():
                self.part = "link"
                if self.online:
                    self.online.link.drop(transport.NetError("network", "the Wi-Fi is gone"))
                self.part = "wait"
                time.sleep_ms(_SHORT_MS)
                return
        fit = self._fit("link")
        if fit:
            self.pump()
            if self.fault:
                e, self.fault = self.fault, None
                raise e
        busy = fit and self._fit("online") and self.online is not None and self.online.step()
        asks = self._fit("clock") and self._ask_time()
        idle = _IDLE_MS
        if self._fit("job"):
            if self.job is None and not asks:
                self._choose()
            if self.job is not None:
                idle = self._advance()
        self.part = "wait"
        if idle and not busy and not asks:
            self._rest(idle)

    def _rest(self, idle):
        """Waits until something is due, or something comes in; at most idle milliseconds."""
        left = min(idle, self.clock.left())
        if self._held is not None or self.apps and self.apps.active:
            left = min(left, _SHORT_MS)
        link = self.online and self.online.link
        left = min(left, (self.online or self.invited).left())
        # What is due may be left alone for a while.
        left = max(_SHORT_MS if self.ill else 1, left)
        if link and not link.down:
            link.wait(left)
        else:
            time.sleep_ms(min(_SHORT_MS, left))

    def _choose(self):
        """Picks the next job, if there is one."""
        due = self.invited.left() <= 0
        state = self.rec.get("state")
        wanted = not self.online and state not in ("enrolled", "leaving")
        if state == "enrolled" and due:
            from flyve.jobs import invitation

            wanted = invitation.another(self)
            invitation = None
            memory.drop("invitation")
        if wanted:
            if due:
                self.job, self.area = _enroll(self), "enrollment"
            return
        self.area = "online"
        if not self.online:
            memory.collect()
            from flyve import online

            self.online = online.Online(self)
        self.job = self.online.job()

    def _ask_time(self):
        """Asks for the time when that is due, beside whatever job; True while it is at that."""
        try:
            if self.asking is None:
                if self.clock.left() > 0:
                    return False
                from flyve.jobs import clock

                self.asking = clock.sync(self)
                clock = None
            next(self.asking)
            return True
        except StopIteration:
            failure = None
        except Exception as e:
            failure = e
        self.asking = None
        memory.drop("clock", "board_facts")
        if failure:
            self.report("clock", failure)
            log.info("clock", "next try in %d ms", self.clock.failed())
        return False

    def _advance(self):
        """Goes on with the job; returns how long it has nothing to do, in ms."""
        failure = None
        try:
            idle = next(self.job)
            return idle if isinstance(idle, int) else 0
        except StopIteration:
            self._starved = 0
        except (KeyboardInterrupt, Pressed):
            raise
        except BaseException as e:  # whatever it was: the loop goes on
            failure = e
        if isinstance(failure, MemoryError):
            self._short_of_memory()
        self.job = None
        memory.drop()
        if failure:
            self.report(self.area, failure)
        if self.area == "online":
            self.part = "online"
            self.online.ended(failure)
        elif failure:
            log.info(self.area, "next try in %d ms", self.invited.failed(failure))
        return 0

    def _short_of_memory(self):
        memory.drop()
        self._starved += 1
        if self._starved > _STARVED:
            self.restart("out of memory")  # fragmented: only a restart mends it

    def _hear(self):
        """Somebody types on the console."""
        for _ in self._keys.ipoll(0):
            from flyve.jobs import console

            if not console.hear(self):
                self._keys = select.poll()  # there is none
            console = None
            memory.drop("console")

    def _settle(self):
        """Ends the trial of an update, and the row of crashes."""
        from flyve.jobs import update

        left, self.trial = update.settle(self)
        self._settled = left and log.uptime() + left
        update = None
        memory.drop("update")

    def refresh_apps(self, name=None):
        """Starts the applications that are installed and ends those that are not, or are another
        version now; name: one that has just changed."""
        if self.apps is None:
            self.refresh = False
            try:
                os.stat("/apps")
            except OSError:
                return
            from flyve import apps

            self.apps = apps.Apps(self)
        if name:
            self.apps.stop(name)
        self.apps.refresh()

    def user_told(self, data):
        """The user's data is in GLPI; what was set meanwhile is told, too."""
        if self.user is data:
            self.user = None

    def report(self, area, failure):
        """Logs a failed job's exception and keeps its text in the record."""
        from flyve.jobs import mending

        mending.note(self.rec, area, failure)
        mending = None
        memory.drop("mending")

    def restart(self, why, wanted=False):
        """Says goodbye to the broker and restarts the board; wanted: see board.reset()."""
        log.warn("agent", "%s: restarting", why)
        try:
            if self.online and self.online.link.up:
                self.online.link.close()
        except Exception:
            pass  # the broker will notice
        board.reset(wanted)


def main():
    """Builds the parts and runs them for ever."""
    try:
        board.watchdog(_WATCHDOG_MS)
        # Late collections leave what stays scattered between what goes.
        gc.threshold(_GARBAGE)
        try:
            from flyve.jobs import startup

            parts = startup.prepare()
            startup = None
            memory.drop()
            if parts:
                Agent(*parts).run()
        except KeyboardInterrupt:
            raise
        except BaseException as e:
            # Another start may go better; enough of them end in safe mode, or in the other slot.
            log.error("agent", "no start: %r: restarting", e)
            board.feed()
            time.sleep_ms(_CRASH_MS)
            board.reset()
        board.watchdog(_CONSOLE_MS)
    except KeyboardInterrupt:
        # Somebody wants the prompt: the watchdog cannot be stopped, only slowed down.
        board.watchdog(_CONSOLE_MS)
        raise
