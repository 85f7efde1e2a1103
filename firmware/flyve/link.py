"""The MQTT link: presence with a last will, subscriptions, keepalive, an outbox.

Presence: will and birth go to the same topic, both retained, and an explicit offline message
precedes a wanted disconnect, which would suppress the will.
"""

from micropython import const

from flyve import log, memory
from flyve.backoff import Retry
from flyve.outbox import Outbox
from flyve.transport import NetError

_CONNECT_MS = const(30000)
_ANSWER_MS = const(30000)  # a SUBACK or a PUBACK may take that long
_REBIRTH_MS = const(1000)  # an older connection's will may come after our birth
_RETRY_MS = const(300000)  # a refused subscription is tried again: the broker caches ACLs


class Link:
    """The connection of an enrolled agent; rec and settings as everywhere.

    on_message(topic, payload, retained): see mqtt.Client; called from pump(). publish: see
    Outbox.add(); what was published is in `outbox` until the broker has acknowledged it. up:
    online, as the broker has acknowledged; down: not connected at all."""

    # Here, for an object's own attributes take memory: what most connections never change.
    reason = None  # the newest NetError
    _refused = ()  # topic filters, and
    _refused_at = 0

    def __init__(self, rec, settings, on_message):
        self.topic = rec.get("topic")
        self.up = False
        self.down = True
        self._opening = False  # subscriptions and birth are not yet acknowledged
        self.connects = 0
        self._rec = rec
        self._settings = settings
        self._on_message = on_message
        self._client = None
        self._status = self.topic + "/Status/Online"
        self._online = self._offline = None  # the payloads of the presence
        self.retry = Retry(settings["reconnect_spread"] * 1000)  # of connect()
        # All by the uptime: a link may be closed, or idle, for longer than ticks take to wrap.
        self.outbox = Outbox(rec.get("agent_id"))
        self.publish = self.outbox.add
        self._asked = {}  # packet id -> topic filter, None for the one that may be refused
        self.since = 0  # uptime: it is up, or was opened
        self._birth = None  # its packet id, once it was sent on this connection
        self._again = False  # it is to be sent once more
        self._pinged = None

    def ask(self, topics, gone=()):
        """Subscribes to the topic filters and takes back those that are gone. One that is both
        makes the broker send what it has kept there."""
        try:
            for topic in topics:
                if self._client:
                    self._asked[self._client.ask(topic)] = None if topic in gone else topic
            for topic in gone:
                if self._client:
                    self._client.ask(topic, b"")
        except NetError as e:
            self.drop(e)

    def connect(self):
        """Opens the connection; True when it is open. A failure schedules the next try."""
        self.outbox.acked(self._birth, True)  # it comes after the subscriptions
        self.outbox.rewind()
        self._birth = self._pinged = None
        self._again = False
        self._refused = ()
        try:
            from flyve.jobs import mqtt_connect

            handlers = self._message, self.outbox.acked, self._suback
            made = mqtt_connect.connect(
                self._rec, self._settings, self._status, _CONNECT_MS, *handlers
            )
        except NetError as e:
            self._lost(e)
            return False
        finally:
            mqtt_connect = None
            memory.drop("mqtt_connect")
        self._client, self._asked, (self._online, self._offline) = made
        self.down = False
        self._opening = True
        self.since = log.uptime()
        self.connects += 1
        return True

    def _lost(self, e):
        up, down = self.up, self.down
        self.up = self._opening = False
        self.down = True
        self.reason = e
        network = e.kind == "network"
        if network or up and not self._again:
            # It closes or refuses for the whole fleet at once; our own network does not.
            delay = self.retry.lost(not network)
        else:
            delay = self.retry.failed()  # also when it lets us in and then throws us out
        log.warn("link", "no connection: %s" if down else "offline: %s", e)
        log.info("link", "next try in %d ms", delay)

    def drop(self, e):
        """Closes the connection because of e, without a word to the broker. While the network is
        away this may be repeated: the next try comes soon after the last call."""
        client = self._client
        self._client = None
        if client:
            client.close()
        if not self.down:
            self._lost(e)
        elif e.kind == "network":
            self.retry.lost(False)

    def _message(self, topic, payload, retained):
        if topic != self._status:
            self._on_message(topic, payload, retained)
        elif payload == self._offline and self.up:
            self._again = True  # the will of a connection before this one

    def _suback(self, pid, code):
        topic = self._asked.pop(pid, None)
        if topic is None:
            return
        if code & 0x80:
            self._refused += (topic,)
            self._refused_at = log.uptime()
            log.error("link", "subscription to %s refused: check the broker's ACL", topic)

    def say(self, topic, payload):
        """Sends a QoS 0 message now, or drops it when there is no connection."""
        if self._client:
            try:
                self._client.post(topic, payload)
                return True
            except NetError as e:
                self.drop(e)
        return False

    def pump(self):
        """Handles what came in and sends what is due; never waits. Safe to call at any time."""
        client = self._client
        if client is None:
            return
        try:
            client.pump()
            if self._client is not client:
                return
            half = self._settings["keepalive"] * 500
            now = log.uptime()
            if self._pinged is not None:
                if client.sock.received >= self._pinged:
                    self._pinged = None
                elif now - self._pinged > half:
                    raise NetError("mqtt", "the broker does not answer")
            elif now - min(client.sent, client.sock.received) > half:
                client.ping()
                self._pinged = now
            if self.outbox.waiting() > _ANSWER_MS:
                raise NetError("mqtt", "the broker does not acknowledge messages")
            if self._opening:
                if self._asked:
                    if now - self.since > _ANSWER_MS:
                        raise NetError("mqtt", "the broker does not acknowledge subscriptions")
                elif self._birth is None:
                    # None again while the outbox is full.
                    self._birth = self.publish(self._status, self._online, True) or None
                elif self._birth not in self.outbox:
                    self.up = self._again = True
                    self._opening = False
                    self.since = now
                    self.reason = None
                    log.info("link", "online topic=%s", self.topic)
            elif self._again and now - self.since > _REBIRTH_MS:
                if self.publish(self._status, self._online, True):
                    self._birth = None
                    self._again = False
            elif self._refused and now - self._refused_at > _RETRY_MS:
                topics, self._refused = self._refused, ()
                self.ask(topics)
            if self._client is client:
                if self.outbox.pump(client.post):
                    client.flush()
                elif not self.outbox:
                    client.sock.spare()
        except NetError as e:
            if self._client is client:
                self.drop(e)

    def wait(self, ms):
        """Waits at most ms milliseconds for something from the broker."""
        client = self._client
        if client is None or client.more:
            return
        try:
            client.sock.poll_in(ms)
        except NetError as e:
            self.drop(e)

    def close(self, ms=5000):
        """Says goodbye: an explicit offline message, acknowledged, then DISCONNECT."""
        self.up = self._opening = False
        self._birth = None  # nothing may say "online" any more
        self._again = False
        pid = 0
        until = log.uptime() + ms
        while self._client:
            pid = pid or self.publish(self._status, self._offline, True)
            if pid and pid not in self.outbox:
                break
            self.pump()
            if log.uptime() >= until:
                break
            self.wait(50)
        self.outbox.acked(pid, True)
        if self._client:
            self._client.close(goodbye=True)
            self._client = None
        self.down = True
        log.info("link", "offline")
