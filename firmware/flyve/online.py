"""What an enrolled agent does: keeps the link, obeys commands, finds out what else is due.

Imported once the agent is enrolled, for enrollment needs the memory.
"""

import binascii
import time

from micropython import const

from flyve import board, log, memory, registry, transport
from flyve.backoff import Retry
from flyve.inbox import HEARD, SILENT, Inbox
from flyve.link import Link

_IDLE_MS = const(30000)  # after which the REST session is ended
_TRIES = const(3)
_LOST = const(16)
_QUIET_MS = const(5000)  # without a message: all that the broker has kept has come
_CHECKS = const(2)  # as in applying.py
_ROOM = const(16)  # messages in the outbox, and reports, for more to be told
_GUARDED = ("lock", "unenroll", "wipe")  # a retained one may be stale

# The duties, see due.py.
UPDATE, APPS, DOUBT, GUARDED, POLICIES, ANSWERS, REPORTS, USER, MISSING = range(9)
DUTIES = (UPDATE, APPS, DOUBT, GUARDED, POLICIES, ANSWERS, REPORTS, USER, MISSING)
OVER_REST = (GUARDED, POLICIES, REPORTS, USER, MISSING)


def _known():
    from flyve.jobs import tasks

    found = tasks.known(None)
    tasks = None
    memory.drop("tasks", "paths")
    return found


def _obey(agent, *command):
    from flyve.jobs import commands

    yield from commands.run(agent, *command)


def _updated():
    try:
        return bool(board.nvs_get_int("update"))
    except OSError:
        return False


class Online:
    """The state of an enrolled agent's work, for due.py; agent: see agent.Agent."""

    def __init__(self, agent):
        self.agent = agent
        self.inbox = Inbox()
        self.retry = Retry()  # of the backend's REST API as a whole
        self.away = False  # it cannot be reached
        self.duty = None  # the one at hand
        self._waits = {}  # duty -> Retry, of those that failed
        self.entry = None  # the policy at hand
        self.another = True  # deeplink may be there
        self.alone = False  # a job needs the link's memory
        self.guarded = {}  # name -> message and uptime, of retained commands to be checked
        self.failed = []  # applications that were stopped
        self.since = None  # the uptime when it was first online
        self.update = not agent.trial and _updated()  # one may have to be settled
        self.refusal = None  # the newest one of the broker that was looked into
        self.begun = log.uptime()
        self.used = log.uptime()  # when the last job ended
        self._located = log.uptime()
        self._connects = 0
        self._undated = False  # a position waits for the clock
        self._command = None  # a second, short job: commands are answered during a long one
        self._taken = None  # from the queue, for it
        self.lost = []  # topics of commands that found no place in the queue
        self._broken = 0  # how often the memory was not enough for it
        by_rest = agent.rec.get("generation") == "C" and agent.settings["report"] != "mqtt"
        agent.reports = [] if by_rest else None
        agent.by_mqtt = not by_rest or agent.settings["report"] == "both"
        agent.known = self.inbox.known
        rec = agent.rec
        owner = "%s %s %s" % (rec.get("url"), rec.get("agent_id"), rec.get("api_token"))
        registry.owner = binascii.crc32(owner.encode())
        agent.link = Link(agent.rec, agent.settings, self._message)

    def _message(self, topic, payload, retained):
        """Answers a Ping at once, keeps the rest for a job."""
        agent, inbox = self.agent, self.inbox
        own = agent.link.topic
        full, inbox.overflow = inbox.overflow, False
        if inbox.sort(own, agent.rec.get("fleet"), topic, payload, retained) == "ping":
            agent.answer("Ping", b"!", "pong")
        if inbox.overflow and topic.startswith(own + "/Command/"):
            # The backend's that change something are all kept by the broker.
            inbox.overflow = False
            if topic not in self.lost and len(self.lost) < _LOST:
                self.lost.append(topic)
        inbox.overflow = inbox.overflow or full

    def left(self):
        """Milliseconds until there may be something to do."""
        link = self.agent.link
        if not link.up:
            return max(0, link.due()) if link.down else 20
        stale = self.inbox.stale()
        left = 1000 if stale is None else stale
        for duty in DUTIES:
            due = 0 if self.inbox.commands else self.due(duty)
            if due is not None and due < left:
                left = due
        return max(0, left)

    def wait(self, duty):
        """The Retry of a duty that fails."""
        if duty not in self._waits:
            self._waits[duty] = Retry()
        return self._waits[duty]

    def due(self, duty):
        """Milliseconds until that duty is due; 0 or less: now; None while there is nothing to
        do."""
        agent, link, inbox = self.agent, self.agent.link, self.inbox
        reports = agent.reports
        left = 0
        if duty == DOUBT:
            doubt = getattr(link.reason, "code", 0) in (4, 5) and link.reason is not self.refusal
            work = link.down and doubt
        elif not link.up and not (self.alone and duty in OVER_REST):
            return None
        elif duty == UPDATE:
            work = self.update
        elif duty == APPS:
            work = self.failed
        elif duty == GUARDED:
            work = self.guarded
        elif duty == POLICIES:
            left = inbox.left(self.ready)
            work = left is not None
        elif duty == ANSWERS:
            work = (
                inbox.known.any(HEARD)
                and len(link.outbox) < _ROOM
                and not (reports and len(reports) >= _ROOM)
            )
        elif duty == REPORTS:
            work = reports
        elif duty == USER:
            work = agent.user
        else:
            work = inbox.known.any(SILENT) and agent.rec.get("generation") == "C"
            left = inbox.heard + _QUIET_MS - log.uptime()
        if not work:
            return None
        if duty in OVER_REST and duty != POLICIES:
            left = max(left, self.retry.left())
        return max(left, self._waits[duty].left()) if duty in self._waits else left

    def ready(self, entry):
        """True unless the policy needs the backend's REST API, and that cannot be reached."""
        if not self.away or self.retry.left() <= 0:
            return True
        inbox = self.inbox
        return "deploy" not in entry[1].lower() and not (
            inbox.strange(self.agent, entry) and inbox.tries(entry) < _CHECKS
        )

    def busy(self):
        """True when there is more urgent work than the one at hand."""
        return self.due(POLICIES) == 0 or self.due(ANSWERS) == 0 or self.due(GUARDED) == 0

    def job(self):
        """The next job, or None when there is nothing to do."""
        agent = self.agent
        self.duty = None
        if agent.rec.get("state") == "leaving":
            from flyve.jobs import leaving

            return leaving.run(agent)
        if self.another and agent.invited.left() <= 0:
            self.another = agent.waiting()
            if self.another:
                # Beside a connection there is no memory for another enrollment.
                if agent.link.up:
                    agent.link.close()
                agent.link = agent.online = None
                return None
        if agent.link.up:
            self._up()
        if self.entry:  # the job with it was given up
            self.inbox.back(self.entry)
            self.entry = None
        for duty in DUTIES:
            left = self.due(duty)
            if left is not None and left <= 0:
                from flyve.jobs import due

                return due.find(self)
        self.alone = False  # nothing is to be done without the link
        if agent.session and log.uptime() - self.used > _IDLE_MS:
            from flyve.jobs import rest

            return rest.end(agent)

    def _up(self):
        """What an online agent looks after."""
        agent, inbox = self.agent, self.inbox
        now = log.uptime()
        if self.since is None:
            self.since = now
        if agent.trial and now - self.since >= agent.settings["stable"] * 1000:
            agent.trial = False
            self.update = True
        if self._connects != agent.link.connects:
            self._connects = agent.link.connects
            from flyve.jobs import due

            due.greet(agent)
        if inbox.stale() == 0:
            inbox.asked()
            agent.link.refresh()
        every = agent.rec.get("locate")
        if every and now - self._located >= every * 1000:
            self._located = now
            inbox.commands.append(("geolocate", {}, False))
        if agent.due and now >= agent.due and inbox.left(self.ready) != 0:
            from flyve.jobs import failures

            failures.sent(agent)
            failures = None
            memory.drop("failures")
            inbox.commands.append(("inventory", {}, False))

    def ended(self, failure):
        """A job has ended, with an exception or None."""
        self.used = log.uptime()
        if failure:
            from flyve.jobs import due

            due.failed(self, failure)
            due = None
            memory.drop("due")
        else:
            self.alone = False
            self._waits.pop(self.duty, None)
            if self.away and self.agent.session and self.duty in OVER_REST:
                self.away = False
                self.retry.after(0)
                self.inbox.pardon()
            if self.agent.restarting:
                self.agent.restart("update", True)

    def step(self):
        """Connects when that is due, also during a job, and goes on with the command at hand or
        begins the next; True while there is one."""
        link = self.agent.link
        if link.down and link.due() <= 0 and not self.alone:
            # Before the broker brings what it has kept.
            self.inbox.connect(_known())
            link.connect()
        if self._undated and time.time() >= transport.floor:
            self._undated = False
            self.inbox.commands.append(("geolocate", {}, False))
        if self._command is None:
            if not self.inbox.commands:
                if self.lost and link.up:
                    link.again(self.lost)
                    self.lost = []
                return False
            self._taken = self.inbox.take(self.inbox.commands)
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
                    self.guarded[name] = old if same else (message, log.uptime())
                    self._taken = None
                    return True
            self._command = _obey(self.agent, name, message, retained)
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

    def _failed(self, e):
        name, message = self._taken[:2]
        self._taken = None
        self._broken = 0
        self.agent.report("commands", e)
        if name in _GUARDED and name not in self.guarded:
            self.guarded[name] = message, log.uptime()  # it is tried again, if it still holds

    def _drop(self):
        self._command = None
        memory.drop("commands", "inventory", "board_facts")

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
        self.inbox.overflow = True
        self._drop()
