"""What an enrolled agent does: keeps the link, obeys commands, applies policies.

Imported once the agent is enrolled, for enrollment needs the memory.
"""

import time

from micropython import const

from flyve import VERSION, board, log, resident
from flyve.backoff import Retry
from flyve.inbox import Inbox
from flyve.link import Link

_IDLE_MS = const(30000)  # after which the REST session is ended
_GUARDED = ("lock", "unenroll", "wipe")  # a retained one may be stale


class Online:
    """Finds the jobs of an enrolled agent; agent: see agent.Agent."""

    def __init__(self, agent):
        self._agent = agent
        self._inbox = Inbox()
        self._retry = Retry()
        self._kinds = (
            self._settle,
            self._verify,
            self._stopped,
            self._policy,
            self._doubt,
            self._report,
            self._user,
        )
        self._kind = 0  # of the job at hand, or where the search for the next begins
        self._entry = None  # the policy at hand, or the one that broke off
        self._alone = False  # a job needs the link's memory
        self._command = None  # a second, short job: commands are answered during a long one
        self._guarded = {}  # name -> message and uptime, of retained commands to be checked
        self._failed = []  # applications that were stopped
        self._update = bool(board.nvs_get_int("update"))  # one may have to be settled
        self._refusal = None
        self._connects = 0
        self._used = self._located = time.ticks_ms()
        by_rest = agent.rec.get("generation") == "C" and agent.settings["report"] != "mqtt"
        agent.reports = [] if by_rest else None
        agent.by_mqtt = not by_rest or agent.settings["report"] == "both"
        agent.link = Link(agent.rec, agent.settings, self._message)

    def _message(self, topic, payload, retained):
        """Answers a Ping at once, keeps the rest for a job."""
        agent = self._agent
        own = agent.link.topic
        if self._inbox.sort(own, agent.rec.get("fleet"), topic, payload, retained) == "ping":
            agent.answer("Ping", b"!", "pong")

    def left(self):
        """Milliseconds until there may be something to do."""
        link, inbox = self._agent.link, self._inbox
        if not link.up:
            return max(0, link.due()) if link.down else 20
        if inbox.commands or inbox.overflow:
            return 0
        if inbox.policies or self._guarded or self._failed or self._agent.reports:
            return max(0, self._retry.left())
        return 1000

    def app_failed(self, name):
        """An application was stopped because it raises."""
        self._failed.append(name)

    def job(self):
        """The next job and what to call at its end with its failure or None; (None, None) when
        there is nothing to do."""
        agent = self._agent
        if agent.rec.get("state") == "leaving":
            return self._load("leaving", "run"), self._ended
        if agent.link.up:
            self._up()
        if self._retry.left() <= 0:
            for _ in self._kinds:
                job = self._kinds[self._kind]()
                if job:
                    return job, self._ended
                self._kind = (self._kind + 1) % len(self._kinds)
        if agent.session and time.ticks_diff(time.ticks_ms(), self._used) > _IDLE_MS:
            return self._logout(), self._ended
        return None, None

    def _up(self):
        """What an online agent looks after."""
        agent, inbox = self._agent, self._inbox
        now = time.ticks_ms()
        if self._connects != agent.link.connects:
            self._connects = agent.link.connects
            agent.tell("online")
            agent.rec.save(doubt=None)
            if agent.rec.get("generation") == "A":
                version = b'{"version":"%s"}' % VERSION.encode()
                agent.link.say(agent.link.topic + "/FlyvemdmManifest/Status/Version", version)
        if inbox.overflow and not inbox.policies:
            inbox.overflow = False
            agent.link.refresh()
        every = agent.rec.get("locate")
        if every and time.ticks_diff(now, self._located) >= every * 1000:
            self._located = now
            inbox.commands.append(("geolocate", {}, False))

    def step(self):
        """Connects when that is due, also during a job, and goes on with the command at hand or
        begins the next; True while there is one."""
        link = self._agent.link
        if link.down and link.due() <= 0 and not self._alone:
            link.connect()
        if self._command is None:
            if not self._inbox.commands:
                return False
            name, message, retained = self._inbox.take(self._inbox.commands)
            if name in _GUARDED:
                self._guarded.pop(name, None)
                if retained:
                    if name != "lock" or self._changes_lock(message):
                        self._guarded[name] = (message, log.uptime())
                    return True
            self._command = self._load("commands", "run", name, message, retained)
        try:
            next(self._command)
            return True
        except StopIteration:
            pass
        except Exception as e:  # a command's failure is its own
            self._agent.report("commands", e)
        self._command = None
        resident.drop("commands", "inventory")
        return False

    def _changes_lock(self, message):
        unlock = str(message.get("lock")).lower() == "unlock"
        return unlock == bool(self._agent.rec.get("lock"))

    def idle(self):
        """Gives up what is at hand, for want of memory; the retained messages come again."""
        self._command = None
        self._inbox.overflow = True
        resident.drop("commands", "inventory")

    def _load(self, module, name, *args):
        """A job out of a module that is loaded for it."""
        yield from getattr(resident.load(module), name)(self._agent, *args)

    def _settle(self):
        if self._update and self._agent.link.up:
            self._update = False
            return self._load("policies", "settle")

    def _verify(self):
        if self._guarded and self._agent.link.up:
            return self._checked(list(self._guarded)[0])

    def _checked(self, name):
        agent = self._agent
        message, since = self._guarded[name]
        obey = yield from resident.load("guard").check(agent, name, message, since)
        if self._guarded.pop(name, None) and obey:
            resident.drop()
            yield from resident.load("commands").run(agent, name, message, False)

    def _stopped(self):
        if self._failed and self._agent.link.up:
            return self._load("policies", "app_failed", self._failed.pop(0))

    def _policy(self):
        if self._inbox.policies and (self._agent.link.up or self._alone):
            return self._apply()

    def _doubt(self):
        link = self._agent.link
        if link.down and getattr(link.reason, "code", 0) in (4, 5):
            if link.reason is not self._refusal:
                self._refusal = link.reason
                return self._load("leaving", "doubt")

    def _report(self):
        if self._agent.reports and self._agent.link.up:
            return self._tell(self._agent.reports)

    def _tell(self, reports):
        report = reports[0]
        yield from resident.load("report").send(self._agent, *report)
        if report in reports:
            reports.remove(report)

    def _user(self):
        if self._agent.user and self._agent.link.up:
            return self._put(self._agent.user)

    def _put(self, wanted):
        yield from self._load("user", "update", wanted)
        if self._agent.user is wanted:
            self._agent.user = None

    def _apply(self):
        """Deals with one policy; a newer message about its task ends it."""
        inbox, rec = self._inbox, self._agent.rec
        entry = inbox.take(inbox.policies)
        again = entry is self._entry
        self._entry = entry
        job = self._task(again, entry)
        for idle in job:
            yield idle
            if entry[0] and entry[0] != rec.get("fleet"):
                break
            if any(other[2] == entry[2] and other[3] != entry[3] for other in inbox.policies):
                break
        else:
            self._entry = None
            return
        job.close()
        self._entry = None
        log.info("policies", "task %s is out of date", entry[2])

    def _task(self, again, entry):
        agent = self._agent
        planned = yield from resident.load("policies").begin(agent, again, *entry)
        if planned:
            resident.drop("policies", "tasks", "places")
            status = yield from resident.load("deploy").run(agent, *planned)
            resident.drop()
            yield from resident.load("policies").finish(agent, planned[0], status)

    def _ended(self, failure):
        agent = self._agent
        self._used = time.ticks_ms()
        alone = self._alone
        self._alone = False
        if failure is None:
            self._retry.after(0)
            self._kind = 0
            if agent.restarting:
                agent.restart("update")
            return
        agent.report("online", failure)
        self._kind = (self._kind + 1) % len(self._kinds)  # not the same first
        if self._entry:
            # Not the task's own failure but trouble on the way.
            self._inbox.policies.append(self._entry)
        if _no_memory(failure) and agent.link.up and not alone:
            # Two TLS connections are too many here: they take turns.
            agent.link.close()
            self._alone = True
        else:
            log.info("online", "next try in %d ms", self._retry.failed())

    def _logout(self):
        api = resident.load("rest").resume(self._agent)
        self._agent.session = None
        yield
        api.close()


def _no_memory(e):
    if isinstance(e, MemoryError) or getattr(e, "kind", None) == "memory":
        return True
    return isinstance(e, OSError) and e.errno in (12, 105)
