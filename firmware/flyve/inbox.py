"""Messages from the broker, sorted by exact topic segments and kept until a job takes them."""

import json

from micropython import const

from flyve import log
from flyve.text import loads

_MESSAGES = const(16)
_BYTES = const(6144)
_SPARED = const(1024)  # of these, for commands: policies may wait for long
_PARTS = const(200)  # of one message's JSON: a list in RAM takes many times its text
_NO_SYMBOL = ("taskId", "id", "version", "versionCode")


class Inbox:
    """Two bounded queues: commands (name, payload, retained) and policies (fleet, symbol,
    task id, payload), the fleet being None for the agent's own. What does not fit is dropped and
    makes `overflow` true: a new subscription brings the retained ones again."""

    def __init__(self):
        self.commands = []
        self.policies = []
        self.overflow = False
        self._size = 0  # of the commands

    def sort(self, topic, fleet, name, payload, retained):
        """Takes one message on `name`. topic, fleet: the agent's and its fleet's own topics.
        Returns "ping" for a Ping, which is answered at once; else None."""
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
            self._put(self.policies, (fleet, parts[1], parts[3], payload), payload)
        elif payload and (parts[0] == "Policy" or fleet):
            self._group(fleet, parts[-1], payload)
        return None

    def _command(self, parts, payload, retained):
        if not payload:
            return None  # the backend clears its retained commands so
        name = parts[1] if len(parts) == 2 else "Subscribe"
        try:
            message = loads(payload)
        except ValueError:
            message = None
        if not isinstance(message, dict) or len(parts) > 2:
            log.warn("commands", "%s is malformed: ignored", name)
            return None
        if name.lower() == "ping":
            return "ping" if str(message.get("query")).lower() == "ping" else None
        self._put(self.commands, (name.lower(), message, retained), payload)
        return None

    def _group(self, fleet, symbol, payload):
        """Generation A: no task in the topic, and one message may hold a list of policies."""
        try:
            message = loads(payload)
            items = message.get(symbol)
            for item in items if isinstance(items, list) else (message,):
                task_id = str(item["taskId"])
                for name in item:
                    if isinstance(name, str) and name not in _NO_SYMBOL:
                        one = json.dumps(item).encode()
                        self._put(self.policies, (fleet, name, task_id, one), one)
                        break
        except (ValueError, TypeError, KeyError, AttributeError):
            log.warn("policies", "%s is malformed: ignored", symbol)

    def _put(self, queue, entry, payload):
        if entry in queue:
            queue.remove(entry)  # the newest of all counts
            queue.append(entry)
            return
        size = len(payload or b"") + 64
        used = self._size + size + sum(len(p[3] or b"") + 64 for p in self.policies)
        urgent = queue is self.commands
        if len(queue) >= _MESSAGES or used > (_BYTES if urgent else _BYTES - _SPARED):
            self.overflow = True
            log.debug("inbox", "full")
            return
        if urgent:
            self._size += size
        queue.append(entry)

    def take(self, queue):
        """The oldest entry of one of the queues."""
        entry = queue.pop(0)
        if not self.commands:
            self._size = 0
        return entry
