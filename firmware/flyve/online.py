"""What an enrolled agent does: keeps the link, obeys commands, applies policies.

Imported once the agent is enrolled, for enrollment needs the memory.
"""

from flyve import resident
from flyve.backoff import Retry
from flyve.inbox import Inbox
from flyve.link import Link


class Online:
    """Finds the jobs of an enrolled agent; agent: see agent.Agent."""

    def __init__(self, agent):
        self._agent = agent
        self._inbox = Inbox()
        self._retry = Retry()
        self._command = None  # a second, short job: commands are answered during a long one
        agent.link = Link(agent.rec, agent.settings, self._message)

    def _message(self, topic, payload, retained):
        """Answers a Ping at once, keeps the rest for a job."""
        agent = self._agent
        own = agent.link.topic
        if self._inbox.sort(own, agent.rec.get("fleet"), topic, payload, retained) == "ping":
            agent.link.say(own + "/Status/Ping", b"!")

    def left(self):
        """Milliseconds until there may be something to do."""
        link = self._agent.link
        if not link.up:
            return max(0, link.due()) if link.down else 20
        if self._inbox.policies:
            return max(0, self._retry.left())
        return 0 if self._inbox.commands or self._inbox.overflow else 1000

    def job(self):
        """The next job and what to call at its end with its failure or None; (None, None) when
        there is nothing to do."""
        link, inbox = self._agent.link, self._inbox
        if link.down:
            if link.due() <= 0:
                return self._connect(), self._connected
        elif link.up and inbox.policies and self._retry.left() <= 0:
            return self._apply(), self._applied
        elif link.up and inbox.overflow and not inbox.policies:
            inbox.overflow = False
            link.refresh()
        return None, None

    def obey(self):
        """Goes on with the command at hand, or begins the next; True while there is one."""
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
        self.idle()
        return False

    def idle(self):
        """Gives up the command at hand."""
        self._command = None
        resident.drop("commands", "inventory")

    def _run(self, name, message, retained):
        yield from resident.load("commands").run(self._agent, name, message, retained)

    def _connect(self):
        self._agent.link.connect()
        yield

    def _connected(self, failure):
        if failure:
            self._agent.report("link", failure)
            self._agent.link.drop(failure)

    def _apply(self):
        entry = self._inbox.take(self._inbox.policies)
        try:
            yield from resident.load("policies").run(self._agent, *entry)
        except Exception:
            # Not the task's own failure but trouble on the way: later, after the others.
            self._inbox.policies.append(entry)
            raise

    def _applied(self, failure):
        if failure is None:
            self._retry.after(0)
        else:
            self._agent.report("policies", failure)
            self._retry.failed()
