"""Messages from the broker, sorted by exact topic segments and kept until a job takes them."""

import binascii
import json

from micropython import const

from flyve import log, memory
from flyve.backoff import uniform

_MESSAGES = const(16)
_BYTES = const(6144)
_SPARED = const(1024)  # of these, for commands: policies may wait for long
_PARTS = const(200)  # of one message's JSON: a list in RAM takes many times its text
_NO_SYMBOL = ("taskId", "id", "version", "versionCode")
_BASE_MS = const(1000)  # the least delay after a policy's first failure
_CAP_MS = const(900000)
_STEPS = const(7)  # of three times the delay, until the cap
_AGAIN_MS = const(5000)  # between two subscriptions for the sake of policies that failed

# In an entry of the policies:
_ID = const(2)
_PAYLOAD = const(3)
_RETAINED = const(4)
_KEY = const(5)

# Of a task that is known:
SILENT = const(0)  # the broker has not brought its message on this connection
HEARD = const(1)  # it has; the status is to be told
DEALT = const(2)  # there is nothing more to do on this connection
_SIZE = const(6)


def key(fleet, symbol, task_id, digest):
    """A number that stands for a message: of whom it is, what it is about, and its CRC32. Small
    enough not to take memory."""
    text = "%s %s %s %d" % ("fleet" if fleet else "agent", symbol.lower(), task_id, digest)
    return binascii.crc32(text.encode()) & 0x3FFFFFFF


def _loads(payload):
    from flyve.jobs import texts

    try:
        return texts.loads(payload)
    finally:
        texts = None
        memory.drop("texts")


class Known:
    """The messages that were dealt with, 7 bytes each, however many tasks there are: so that none
    of them takes a place in the queue, or a look into the file."""

    def __init__(self):
        self._keys = b""  # of each task: 2 bytes that stand for its id, 4 for its message
        self.states = bytearray()

    def __len__(self):
        return len(self.states)

    def _at(self, piece, skip):
        at = self._keys.find(piece)
        while at >= 0 and at % _SIZE != skip:
            at = self._keys.find(piece, at + 1)
        return at // _SIZE

    def find(self, number):
        """The place of the message with that key, or -1."""
        return self._at(number.to_bytes(4, "little"), 2)

    def task(self, task_id):
        """The place of a task, whatever its message was, or -1."""
        return self._at(_short(task_id), 0)

    def put(self, task_id, number, state):
        """Notes a task's message instead of any that it had before."""
        self.drop(task_id)
        self._keys += _short(task_id) + number.to_bytes(4, "little")
        self.states.append(state)

    def drop(self, task_id):
        """Forgets a task."""
        at = self.task(task_id)
        if at >= 0:
            self._keys = self._keys[: at * _SIZE] + self._keys[at * _SIZE + _SIZE :]
            self.states = self.states[:at] + self.states[at + 1 :]

    def renew(self, other):
        """Becomes what the other one is."""
        self._keys = other._keys
        self.states = other.states

    def any(self, state):
        """True when a task is in that state."""
        return bytes((state,)) in self.states

    def all(self, old, new):
        """Puts all that are in a state into another one."""
        for i in range(len(self.states)):
            if self.states[i] == old:
                self.states[i] = new


def _short(task_id):
    return (binascii.crc32(str(task_id).encode()) & 0xFFFF).to_bytes(2, "little")


class Inbox:
    """Two bounded queues: commands (name, payload, retained) and policies (fleet, symbol,
    task id, payload, retained, key), the fleet being None for the agent's own. What does not fit
    is dropped and makes `overflow` true: a new subscription brings the retained ones again.

    A policy that failed waits for its own next try, and gives its place to any other."""

    def __init__(self):
        self.commands = []
        self.policies = []
        self.known = Known()
        self.overflow = False
        self.hand = None  # the policy at hand
        self.heard = log.uptime()  # when the newest policy came
        self._waits = {}  # key -> tries and when the next one is due
        self._later = None  # when those are to come again that gave their place
        self._size = 0  # of the commands
        self._asked = 0  # when they last were to come again

    def sort(self, topic, fleet, name, payload, retained):
        """Takes one message on `name`. topic, fleet: the agent's and its fleet's own topics.
        Returns "ping" for a Ping, which is answered at once, "full" for a command that found no
        place; else None."""
        if name.startswith(topic + "/"):
            fleet = None
        elif fleet and name.startswith(fleet + "/"):
            topic = fleet
        else:
            return None  # the manifest's version: nothing to do
        parts = name[len(topic) + 1 :].split("/", 4)
        if payload and sum(payload.count(c) for c in (b"[", b"{", b",")) > _PARTS:
            payload = None  # as one that is too long
        if fleet is None and parts[0] in ("Command", "Subscription"):
            return self._command(parts, payload, retained)
        if parts[0] == "Policy" and len(parts) == 4 and parts[2] == "Task":
            self._policy(fleet, parts[1], parts[3], payload, retained)
        elif payload is None and (parts[0] == "Policy" or fleet):
            log.error("policies", "%s is too long for one message: ignored", parts[-1])
        elif payload and (parts[0] == "Policy" or fleet):
            self._group(fleet, parts[-1], payload, retained)
        return None

    def _command(self, parts, payload, retained):
        if not payload:
            return None  # the backend clears its retained commands so
        name = parts[1] if len(parts) == 2 else "Subscribe"
        try:
            message = _loads(payload)
        except ValueError:
            message = None
        if not isinstance(message, dict) or len(parts) > 2:
            log.warn("commands", "%s is malformed: ignored", name)
            return None
        if name.lower() == "ping":
            return "ping" if str(message.get("query")).lower() == "ping" else None
        entry = name.lower(), message, retained
        if entry in self.commands:
            self.commands.remove(entry)  # the newest of all counts
            self.commands.append(entry)
        elif self._fits(self.commands, payload):
            self._size += len(payload) + 64
            self.commands.append(entry)
        elif parts[0] == "Command":
            log.debug("inbox", "full")
            return "full"
        else:
            self.miss()
        return None

    def _group(self, fleet, symbol, payload, retained):
        """Generation A: no task in the topic, and one message may hold a list of policies."""
        try:
            message = _loads(payload)
            items = message.get(symbol)
            for item in items if isinstance(items, list) else (message,):
                task_id = str(item["taskId"])
                for name in item:
                    if isinstance(name, str) and name not in _NO_SYMBOL:
                        one = json.dumps(item).encode()
                        self._policy(fleet, name, task_id, one, retained)
                        break
        except (ValueError, TypeError, KeyError, AttributeError):
            log.warn("policies", "%s is malformed: ignored", symbol)

    def _policy(self, fleet, symbol, task_id, payload, retained):
        number = key(fleet, symbol, task_id, binascii.crc32(payload or b""))
        self.heard = log.uptime()
        if payload != b"":
            if retained and self.hand and number == self.hand[_KEY]:
                return
            at = self.known.find(number)
            if at >= 0:
                if not retained or self.known.states[at] == SILENT:
                    self.known.states[at] = HEARD
                return
            at = self.known.task(task_id)
            if at >= 0:
                self.known.states[at] = DEALT  # by a newer message
        for i, other in enumerate(self.policies):
            if other[_ID] == task_id:
                del self.policies[i]  # the newest of all counts
                retained = retained and (other[_RETAINED] or other[_KEY] != number)
                break
        entry = fleet, symbol, task_id, payload, retained, number
        left = self._left(entry)
        while not self._fits(self.policies, payload):
            late = None
            for other in self.policies:
                if self._left(other) > 0:
                    late = other
                    break
            if left > 0 or late is None:
                self.miss(left)
                return
            self.policies.remove(late)
            self.miss(self._left(late))
        self.policies.append(entry)

    def _fits(self, queue, payload):
        used = self._size + len(payload or b"") + 64
        used += sum(len(p[_PAYLOAD] or b"") + 64 for p in self.policies)
        room = _BYTES if queue is self.commands else _BYTES - _SPARED
        return len(queue) < _MESSAGES and used <= room

    def miss(self, left=0):
        """A message was dropped; its next try is left milliseconds away."""
        log.debug("inbox", "full")
        if left <= 0:
            self.overflow = True
            return
        due = max(log.uptime() + left, self._asked + _AGAIN_MS)
        if self._later is None or due < self._later:
            self._later = due

    def _left(self, entry):
        """Milliseconds until a policy may be tried."""
        wait = self._waits.get(entry[_KEY])
        return 0 if wait is None else (wait >> 3) * 100 - log.uptime()

    def tries(self, number):
        """How often the policy with that key has failed."""
        return (self._waits.get(number) or 0) & 7

    def failed(self, failure):
        """The policy at hand failed, and is to be tried again later; returns its task's id and
        the delay in ms. failure: the exception, by which the server may have asked to wait
        longer."""
        number = self.hand[_KEY]
        count = self.tries(number)
        low = min(_CAP_MS // 3, _BASE_MS * 3**count)
        delay = max(uniform(low, low * 3), getattr(failure, "after", 0))
        delay = min(_CAP_MS, delay)
        self._waits[number] = (log.uptime() + delay) // 100 << 3 | min(_STEPS, count + 1)
        task_id = self.hand[_ID]
        self.back()
        return task_id, delay

    def back(self, first=False):
        """Puts the policy at hand back into the queue, unless a newer message is there; first: to
        be tried next."""
        entry, self.hand = self.hand, None
        if first and not self.tries(entry[_KEY]):
            self._waits[entry[_KEY]] = log.uptime() // 100 << 3 | 1  # it was begun
        for other in self.policies:
            if other[_ID] == entry[_ID]:
                return
        if first:
            self.policies.insert(0, entry)
        else:
            self.policies.append(entry)

    def pardon(self):
        """All that failed may be tried at once: the backend was away."""
        self._waits.clear()

    def done(self, late):
        """The policy at hand was dealt with; late: it was out of date."""
        entry, self.hand = self.hand, None
        self._waits.pop(entry[_KEY], None)
        if not late and entry[_PAYLOAD] != b"":
            self.known.put(entry[_ID], entry[_KEY], DEALT)

    def left(self, ready):
        """Milliseconds until a policy may be tried for which ready(entry) is true, or None."""
        found = None
        for entry in self.policies:
            if ready(entry):
                left = self._left(entry)
                if left <= 0:
                    return 0
                if found is None or left < found:
                    found = left
        return found

    def next(self, ready):
        """Takes the oldest policy that may be tried, for which ready(entry) is true."""
        for i, entry in enumerate(self.policies):
            if ready(entry) and self._left(entry) <= 0:
                self.hand = self.policies.pop(i)
                return entry

    def stale(self):
        """Milliseconds until what was dropped should come again, or None."""
        for entry in self.policies:
            if self._left(entry) <= 0:
                return None  # not before there is room
        if self.commands:
            return None
        if self.overflow:
            return 0
        return None if self._later is None else max(0, self._later - log.uptime())

    def asked(self):
        """What was dropped comes again."""
        self.overflow = False
        self._later = None
        self._asked = log.uptime()

    def connect(self, known):
        """A new connection brings all retained messages; known: the tasks, for it."""
        self.known.renew(known)
        self.asked()
        self.heard = log.uptime()
        for number in list(self._waits):
            if (self._waits[number] >> 3) * 100 < log.uptime() - _CAP_MS:
                del self._waits[number]  # nobody has asked for it any more

    def take(self):
        """The oldest of the commands."""
        entry = self.commands.pop(0)
        if not self.commands:
            self._size = 0
        return entry
