"""What an enrolled agent does: keeps the link, obeys commands, and has due.py look for a job when
something has happened.

Imported once the agent is enrolled, for enrollment needs the memory.
"""

import binascii
import time

from micropython import const

from flyve import log, memory, registry, transport
from flyve.inbox import Inbox
from flyve.link import Link

_TRIES = const(3)
_LOST = const(16)
_REPORTS = const(32)  # that wait for REST; the oldest goes
_AGAIN_MS = const(1000)  # until the next look, should this one fail
_GUARDED = ("lock", "unenroll", "wipe")  # a retained one may be stale


def _known():
    from flyve.jobs import tasks

    found = tasks.known(None)
    tasks = None
    memory.drop("tasks")
    return found


def _obey(*command):
    from flyve.jobs import commands

    yield from commands.run(*command)


class Online:
    """An enrolled agent's work; agent: see agent.Agent. What outlives the jobs is here: the REST
    `session` is rest.py's, `notes` has by name what others are to remember. Both are the agent's,
    for this object may be made anew."""

    def __init__(self, agent):
        rec = agent.rec
        self.agent = agent
        self.rec = rec
        self.settings = agent.settings
        self.inbox = Inbox()
        self.notes = agent.notes
        self.notes.pop("due", None)
        self.session = self.notes.setdefault("session", {})
        by_rest = rec.get("generation") == "C" and self.settings["report"] != "mqtt"
        self.reports = [] if by_rest else None  # what to tell over REST, if that is wanted
        self.by_mqtt = not by_rest or self.settings["report"] == "both"
        self.guarded = {}  # name -> message and uptime, of retained commands to be checked
        self.failed = []  # applications that were stopped
        self.lost = []  # topics of commands that found no place in the queue
        self.begun = log.uptime()
        self.since = None  # the uptime when it was first online
        self.alone = False  # a job needs the link's memory
        self._at = 0  # when due.py is to look; 0: something has happened
        self._up = False  # the link was
        self._user = None  # the data of the user that due.py knows of
        self._undated = False  # a position waits for the clock
        self._command = None  # a second, short job: commands are answered during a long one
        self._taken = None  # from the queue, for it
        self._broken = 0  # how often the memory was not enough for it
        owner = "%s %s %s" % (rec.get("url"), rec.get("agent_id"), rec.get("api_token"))
        registry.belong(binascii.crc32(owner.encode()))
        self.link = Link(rec, self.settings, self._message)

    def _message(self, topic, payload, retained):
        """Answers a Ping at once, keeps the rest for a job."""
        own = self.link.topic
        what = self.inbox.sort(own, self.rec.get("fleet"), topic, payload, retained)
        if what == "ping":
            self.answer("Ping", b"!", "pong")
            return
        # The backend's that change something are all kept by the broker.
        if what == "full" and topic not in self.lost and len(self.lost) < _LOST:
            self.lost.append(topic)
        self.look()

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
            self.look()

    def app_failed(self, name, why):
        """An application was stopped; why: e.g. that it raised, and what."""
        self.failed.append((name, why))
        self.look()

    def look(self):
        """Something has happened: there may be a job."""
        self._at = 0

    def busy(self):
        """True when something has happened since the job at hand began."""
        return not self._at

    def left(self):
        """Milliseconds until there may be something to do."""
        link = self.link
        if not link.up:
            return max(0, link.due()) if link.down else 20
        if self.inbox.commands:
            return 0
        # While a job is at hand nobody looks.
        return _AGAIN_MS if self.agent.job else max(0, self._at - log.uptime())

    def job(self):
        """The next job, or None when there is nothing to do."""
        now = log.uptime()
        if self.agent.user is not self._user:
            self._user = self.agent.user
            self.look()
        if self._at > now:
            return None
        self._at = now + _AGAIN_MS
        from flyve.jobs import due

        found = due.find(self)
        due = None
        memory.drop("due")  # most jobs have no use for it
        if not isinstance(found, int):
            return found
        self.alone = False  # nothing is to be done without the link
        if self._at:
            self._at = now + found

    def ended(self, failure):
        """A job has ended, with an exception or None."""
        self.look()
        from flyve.jobs import due

        self.alone = due.ended(self, failure)

    def step(self):
        """Connects when that is due, also during a job, and goes on with the command at hand or
        begins the next; True while there is one."""
        link = self.link
        if link.down and link.due() <= 0 and not self.alone:
            # Before the broker brings what it has kept.
            self.inbox.connect(_known())
            link.connect()
            self.look()
        if self._up != link.up:
            self._up = link.up
            self.look()
            if self._up and self.since is None:
                self.since = log.uptime()
        if self._undated and time.time() >= transport.floor:
            self._undated = False
            self.inbox.commands.append(("geolocate", {}, False))
        if self._command is None:
            if not self.inbox.commands:
                if self.lost and link.up:
                    link.ask(self.lost, self.lost)
                    self.lost = []
                return False
            self._taken = self.inbox.take()
            name, message, retained = self._taken
            if name == "geolocate" and time.time() < transport.floor:
                # The backend insists on a date, and would keep a wrong one.
                if not self._undated:
                    log.info("commands", "geolocate waits until the clock is set")
                self._undated = True
                self._taken = None
                return True
            if name in _GUARDED:
                old = self.guarded.pop(name, None)
                if retained:
                    same = old and old[0] == message
                    self._guard(name, *(old if same else (message, log.uptime())))
                    self._taken = None
                    return True
            self._command = _obey(self, name, message, retained)
        try:
            next(self._command)
            return True
        except StopIteration:
            self._taken = None
            self._broken = 0
        except MemoryError:
            raise  # the loop makes room and calls idle()
        except (Exception, SystemExit) as e:  # a command's failure is its own
            self._failed(e)
        self._drop()
        return False

    def _guard(self, name, *what):
        self.guarded[name] = what
        self.look()

    def _failed(self, e):
        name, message = self._taken[:2]
        self._taken = None
        self._broken = 0
        self.agent.report("commands", e)
        if name in _GUARDED and name not in self.guarded:
            self._guard(name, message, log.uptime())  # it is tried again, if it still holds

    def _drop(self):
        self._command = None
        memory.drop("commands", "inventory", "board_facts")
        self.look()

    def idle(self):
        """Gives up what is at hand, for want of memory: a command goes back to its place, and the
        retained messages come again."""
        taken, self._taken = self._taken, None
        self._broken += taken is not None
        if self._broken > _TRIES:
            self._taken = taken
            self._failed(MemoryError())
        elif taken:
            self.inbox.commands.insert(0, taken)
        self.inbox.miss()
        self._drop()
