"""QoS 1 messages on their way: in order, bounded, sent again with DUP after a reconnect, and the
durable ones after a reboot, too.

The durable ones are in one small file. It is written in place, for littlefs shows the new content
when the file is closed, all of it or nothing; that is one program operation where a rename takes
four.
"""

import json
import os

from micropython import const

from flyve import log, memory

PATH = "/outbox.json"  # see jobs/outbox_file.py
LIMIT = const(32)  # messages; a full outbox refuses, it never drops what it took
_WINDOW = const(8)  # unacknowledged at once
_OLD_MS = const(600000)  # what is only in RAM is of no use later

# A message: topic, payload, retain, and
_PID = const(3)
_SENT = const(4)
_ROW = const(5)  # of a durable one: how it stands in the file; made but once, for that takes long
_BORN = const(6)  # uptime


class Outbox:
    """owner: a JSON value; messages of another one that a former life has left on flash are not
    sent."""

    def __init__(self, owner=None):
        self._owner = owner
        self._queue = []
        # _moved: when something was sent or acknowledged; _stale: of the messages in the file so
        # many were acknowledged.
        # mutants: of _moved nobody asks before something was sent
        self._pid = self._flying = self._moved = self._stale = 0
        try:
            if os.stat(PATH)[6]:
                from flyve.jobs import outbox_file

                self._stale = outbox_file.load(PATH, owner, LIMIT, self._queue)
                outbox_file = None
                memory.drop("outbox_file")
                self._pid = len(self._queue)
        except OSError:
            pass

    def __len__(self):
        return len(self._queue)

    def __contains__(self, what):
        """what: a packet id or a topic."""
        for m in self._queue:
            if what in (m[0], m[_PID]):
                return True
        return False  # mutants: None is as good

    def add(self, topic, payload, retain=False, durable=False):
        """Takes a message; returns its packet id, or 0 when the outbox is full. durable: it is on
        flash when this returns; its payload must then be UTF-8."""
        if len(self._queue) >= LIMIT:
            return 0
        self._pid = self._pid % 32767 + 1  # SUBSCRIBEs use the upper half
        row = durable and json.dumps((topic, payload.decode(), retain)).encode()
        self._queue.append([topic, payload, retain, self._pid, False, row, log.uptime()])
        if row:
            self._save()
        return self._pid

    def _save(self):
        self._stale = 0
        rows = []
        try:
            for m in self._queue:
                if m[_ROW]:
                    rows.append(m[_ROW])
            # Before the file is open: a want of memory in its middle would close half of it.
            head = "[%s, [" % json.dumps(self._owner)
            text = b",".join(rows)
            with open(PATH, "w") as f:
                if text:
                    f.write(head)
                    f.write(text)
                    f.write("]]")
        except (OSError, MemoryError) as e:
            # Better told and perhaps lost with the power than not told at all.
            log.error("outbox", "not durable: free flash (%s)", e)

    def pump(self, post):
        """Sends what the window allows; returns how many that were. post: see mqtt.Client."""
        # While others wait for their turn more will be acknowledged soon: not a block of the flash
        # for each. A cut sends no more than a window of them again.
        if self._stale > (_WINDOW if self._flying < len(self._queue) else 0):
            self._save()
        before = self._flying
        while self._flying < len(self._queue) and self._flying < _WINDOW:
            m = self._queue[self._flying]
            self._flying += 1
            self._moved = log.uptime()
            dup = m[_SENT]
            m[_SENT] = True
            post(m[0], m[1], m[2], m[_PID], dup, True)
        return self._flying - before

    def acked(self, pid, anyway=False):
        """The broker has it, or (anyway) it is not wanted any more; an unknown id is ignored."""
        for i in range(len(self._queue) if anyway else self._flying):
            if self._queue[i][_PID] == pid:
                self._moved = log.uptime()
                self._flying -= i < self._flying
                if self._queue.pop(i)[_ROW]:
                    self._stale += 1
                return

    def waiting(self):
        """Milliseconds for which the broker has owed an acknowledgement."""
        return log.uptime() - self._moved if self._flying else 0

    def rewind(self):
        """A new connection: everything unacknowledged is to be sent again, but for what is old
        and only in RAM."""
        self._flying = 0
        for m in list(self._queue):
            if not m[_ROW] and log.uptime() - m[_BORN] >= _OLD_MS:
                self._queue.remove(m)
