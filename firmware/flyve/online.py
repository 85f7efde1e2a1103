"""What an enrolled agent does: keeps the link, takes in what comes, and calls the jobs: inbox.py
sorts that, commands.py obeys, due.py looks for work when something has happened.

Imported once the agent is enrolled, for enrollment needs the memory.
"""

import binascii

from micropython import const

from flyve import log, memory
from flyve.link import Link

_ROOM = const(4736)  # bytes of what came in: more than a message of 4 KiB
_SPARED = const(1024)  # more of them, for commands
_PING = const(64)  # bytes of one, at the most
_LOST = const(16)
_REPORTS = const(32)  # that wait for REST; the oldest goes
_AGAIN_MS = const(1000)  # until the next look, should this one fail
_COMMAND_MS = const(1000)  # in which a command is over, most probably

# As known.py has them.
_SILENT = const(0)
_HEARD = const(1)
_SIZE = const(6)


class Online:
    """An enrolled agent's work; agent: see agent.Agent. What outlives the jobs is here, as plain
    data: `box` is what came in, see opening.py; the REST `session` is rest.py's; `notes` has by
    name what others are to remember. The last two are the agent's, for this object may be made
    anew."""

    def __init__(self, agent):
        self.agent = agent
        self.rec = agent.rec
        self.settings = agent.settings
        self.notes = agent.notes
        from flyve.jobs import opening

        # `reports`: what to tell over REST, None if that is not wanted.
        self.box, self.session, self.reports, self.by_mqtt = opening.begin(agent)
        opening = None
        memory.drop("opening")
        self.since = None  # the uptime when it was first online
        self.alone = False  # a job needs the link's memory
        self._at = 0  # when due.py is to look; 0: something has happened
        self._up = False  # the link was
        self._user = None  # the data of the user that due.py knows of
        self._command = None  # a second, short job: commands are answered during a long one
        self.link = Link(agent.rec, agent.settings, self.receive)

    def receive(self, topic, payload, retained):
        """Takes in a message: answers a Ping at once, and keeps for inbox.py what is new, as much
        as fits. It runs in the middle of any wait, so it imports nothing."""
        box = self.box
        data = payload or b""
        own = self.link.topic + "/Command/"
        command = topic.startswith(own)
        if command and topic[len(own) :].lower() == "ping" and len(data) < _PING:
            if b'"query":"ping"' in data.lower().replace(b" ", b""):
                self.answer("Ping", b"!", "pong")
                return
        self.look()
        if not command:
            box["heard"] = log.uptime()
            if payload != b"" and self.seen(self.key(topic, binascii.crc32(data)), retained):
                return
        size = box["bytes"] + len(topic) + len(data) + 64
        if size <= (_ROOM + _SPARED if command else _ROOM):
            box["bytes"] = size
            box["raw"].append((topic, payload, retained))
            return
        log.debug("inbox", "full")
        if not command:
            box["overflow"] = True
        # The backend's that change something are all kept by the broker.
        elif topic not in box["lost"] and len(box["lost"]) < _LOST:
            box["lost"].append(topic)

    def key(self, topic, digest):
        """A number that stands for a message: its topic, in whatever case, and its CRC32. Small
        enough not to take memory."""
        return binascii.crc32(topic.lower().encode(), digest) & 0x3FFFFFFF

    def find(self, piece, skip):
        """The place of the task that is known by these bytes, so many behind its beginning; or -1.
        See known.py."""
        keys = self.box["keys"]
        at = keys.find(piece)
        while at >= 0 and at % _SIZE != skip:
            at = keys.find(piece, at + 1)
        return at // _SIZE

    def seen(self, key, retained):
        """True when the message with that key needs no place: it was dealt with, or is in the
        queue, or waits outside of it for its next try."""
        box = self.box
        at = self.find(key.to_bytes(4, "little"), 2)
        if at >= 0:
            if not retained or box["states"][at] == _SILENT:
                box["states"][at] = _HEARD
            return True
        for one in box["policies"]:
            if one["key"] == key:
                one["retained"] = one["retained"] and retained
                return True
        due = box["due"].get(key, 0)
        if due <= log.uptime():
            return False
        box["later"] = min(due, box["later"] or due)
        return True

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
            return max(0, link.retry.left()) if link.down else 20
        if self.box["raw"] or self.box["commands"]:
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
        memory.drop("due", "outcome", "waiting", "known")  # most jobs have no use for them
        if not isinstance(found, int):
            return found
        self.alone = False  # nothing is to be done without the link
        if self._at:
            self._at = now + found

    def ended(self, failure):
        """A job has ended, with an exception or None."""
        self.look()
        from flyve.jobs import outcome

        self.alone = outcome.ended(self, failure)

    def step(self):
        """Connects when that is due, also during a job, and goes on with the commands; True while
        there are some."""
        link = self.link
        box = self.box
        if link.down and link.retry.left() <= 0 and not self.alone:
            # Before the broker brings what it has kept.
            from flyve.jobs import opening

            opening.connect(self)
            opening = None
            memory.drop("opening", "known", "tasks")
            link.connect()
            self.look()
        if self._up != link.up:
            self._up = link.up
            self.look()
            if self._up and self.since is None:
                self.since = log.uptime()
        # With a command and a job at hand there is no memory for a third one.
        free = self._command is None or self.agent.job is None
        if free and (box["raw"] or box["lost"] and not box["commands"]):
            from flyve.jobs import inbox

            inbox.sort(self)
            inbox = None
            memory.drop("inbox", "known")
        if not box["commands"]:
            return False
        try:
            if self._command is None:
                from flyve.jobs import commands

                self._command = commands.run(self)
                commands = None
                if self.agent.job is None:
                    # Most are over by then; meanwhile a job would want the same memory.
                    self._at = log.uptime() + _COMMAND_MS
            next(self._command)
            return True
        except StopIteration:
            pass
        except (Exception, SystemExit) as e:
            if isinstance(e, MemoryError):
                raise  # the loop makes room and calls idle()
            self.agent.report("commands", e)
            del box["commands"][:1]
        self._command = None
        memory.drop("commands", "inventory", "board_facts")
        self.look()
        return False

    def idle(self):
        """Gives up what is at hand, for want of memory: a command is begun anew, and the retained
        messages come again."""
        self._command = None
        self.box["overflow"] = True
        self.look()
