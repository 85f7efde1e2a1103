"""What an enrolled agent does: keeps the link, obeys commands, applies policies.

Imported once the agent is enrolled, for enrollment needs the memory.
"""

import time

from micropython import const

from flyve import board, log, resident
from flyve.backoff import Retry
from flyve.inbox import Inbox
from flyve.link import Link

_IDLE_MS = const(30000)  # after which the REST session is ended


class Online:
    """Finds the jobs of an enrolled agent; agent: see agent.Agent."""

    def __init__(self, agent):
        self._agent = agent
        self._inbox = Inbox()
        self._retry = Retry()
        self._again = None  # the policy that broke off
        self._alone = False  # a job needs the link's memory
        self._command = None  # a second, short job: commands are answered during a long one
        self._failed = []  # applications that were stopped
        self._update = bool(board.nvs_get_int("update"))  # one may have to be settled
        self._used = self._located = time.ticks_ms()
        agent.link = Link(agent.rec, agent.settings, self._message)

    def _message(self, topic, payload, retained):
        """Answers a Ping at once, keeps the rest for a job."""
        agent = self._agent
        own = agent.link.topic
        if self._inbox.sort(own, agent.rec.get("fleet"), topic, payload, retained) == "ping":
            agent.link.say(own + "/Status/Ping", b"!")

    def left(self):
        """Milliseconds until there may be something to do."""
        link, inbox = self._agent.link, self._inbox
        if not link.up:
            return max(0, link.due()) if link.down else 20
        if inbox.commands or inbox.overflow or self._failed:
            return 0
        return max(0, self._retry.left()) if inbox.policies else 1000

    def app_failed(self, name):
        """An application was stopped because it raises."""
        self._failed.append(name)

    def job(self):
        """The next job and what to call at its end with its failure or None; (None, None) when
        there is nothing to do."""
        agent, inbox = self._agent, self._inbox
        link = agent.link
        if link.up or self._alone:
            if self._update:
                return resident.load("policies").settle(agent), self._settled
            if self._failed:
                name = self._failed.pop()
                return resident.load("policies").app_failed(agent, name), self._told
            if inbox.policies and self._retry.left() <= 0:
                return self._apply(), self._applied
            if inbox.overflow and not inbox.policies:
                inbox.overflow = False
                link.refresh()
        now = time.ticks_ms()
        every = agent.rec.get("locate")
        if every and time.ticks_diff(now, self._located) >= every * 1000:
            self._located = now
            inbox.commands.append(("geolocate", {}, False))
        if agent.session and time.ticks_diff(now, self._used) > _IDLE_MS:
            return self._logout(), self._told
        return None, None

    def step(self):
        """Connects when that is due, also during a job, and goes on with the command at hand or
        begins the next; True while there is one."""
        link = self._agent.link
        if link.down and link.due() <= 0 and not self._alone:
            link.connect()
        if self._command is None:
            if not self._inbox.commands:
                return False
            self._command = self._run(*self._inbox.take(self._inbox.commands))
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

    def idle(self):
        """Gives up what is at hand, for want of memory; the retained messages come again."""
        self._command = None
        self._inbox.overflow = True
        resident.drop("commands", "inventory")

    def _run(self, name, message, retained):
        yield from resident.load("commands").run(self._agent, name, message, retained)

    def _apply(self):
        """Deals with one policy; a newer message about its task ends it."""
        inbox, rec = self._inbox, self._agent.rec
        entry = inbox.take(inbox.policies)
        again = entry is self._again
        self._again = entry
        job = self._task(again, entry)
        for _ in job:
            yield
            for other in inbox.policies:
                if other[2] == entry[2] and other[3] != entry[3]:
                    break
            else:
                if entry[0] == rec.get("fleet") or not entry[0]:
                    continue
            job.close()
            log.info("policies", "task %s is out of date", entry[2])
            break
        self._again = None

    def _task(self, again, entry):
        agent = self._agent
        planned = yield from resident.load("policies").begin(agent, again, *entry)
        if planned:
            resident.drop("policies", "tasks", "places")
            status = yield from resident.load("deploy").run(agent, *planned)
            resident.drop()
            yield from resident.load("policies").finish(agent, planned[0], status)

    def _applied(self, failure):
        agent = self._agent
        self._used = time.ticks_ms()
        alone = self._alone
        self._alone = False
        if failure is None:
            self._retry.after(0)
            if agent.restarting:
                agent.restart("update")
            return
        agent.report("policies", failure)
        # Not the task's own failure but trouble on the way: later, after the others.
        self._inbox.policies.append(self._again)
        if _no_memory(failure) and agent.link.up and not alone:
            # Two TLS connections are too many here: they take turns.
            agent.link.close()
            self._alone = True
            self._inbox.policies.insert(0, self._inbox.policies.pop())
        else:
            log.info("policies", "next try in %d ms", self._retry.failed())

    def _settled(self, failure):
        self._update = failure is not None
        self._told(failure)

    def _told(self, failure):
        if failure:
            self._agent.report("online", failure)

    def _logout(self):
        api = resident.load("rest").resume(self._agent)
        self._agent.session = None
        yield
        api.close()


def _no_memory(e):
    return (
        isinstance(e, MemoryError) or getattr(e, "kind", None) == "memory" or e.errno in (12, 105)
    )
