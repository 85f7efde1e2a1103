"""QoS 1 messages on their way: in order, bounded, sent again with DUP after a reconnect."""

from micropython import const

LIMIT = const(32)  # messages; a full outbox refuses, it never drops what it took
_WINDOW = const(8)  # unacknowledged at once


class Outbox:
    """send(topic, payload, retain, pid, dup) puts one PUBLISH on the wire."""

    def __init__(self, send):
        self._send = send
        self._queue = []  # [pid, topic, payload, retain, times sent]
        self._pid = 0
        self._flying = 0

    def __len__(self):
        return len(self._queue)

    def add(self, topic, payload, retain=False):
        """Takes a message; returns its packet id, or 0 when the outbox is full."""
        if len(self._queue) >= LIMIT:
            return 0
        self._pid = self._pid % 32767 + 1  # SUBSCRIBEs use the upper half
        self._queue.append([self._pid, topic, payload, retain, 0])
        return self._pid

    def pump(self):
        """Sends what the window allows; returns how many that were."""
        before = self._flying
        while self._flying < len(self._queue) and self._flying < _WINDOW:
            message = self._queue[self._flying]
            self._flying += 1
            message[4] += 1
            self._send(message[1], message[2], message[3], message[0], message[4] > 1)
        return self._flying - before

    def acked(self, pid):
        """The broker has it; an unknown id is ignored."""
        for i in range(self._flying):
            if self._queue[i][0] == pid:
                self._queue.pop(i)
                self._flying -= 1
                return

    def rewind(self):
        """A new connection: everything unacknowledged is to be sent again."""
        self._flying = 0

    def __contains__(self, pid):
        return any(message[0] == pid for message in self._queue)
