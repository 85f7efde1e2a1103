"""The backend's own MQTT client: publishes to agents, and hears what they say."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as mqtt

from flyve_mdm.backend.broker import BACKEND_USER, Broker
from flyve_mdm.backend.events import EventLog
from flyve_mdm.patience import stretched
from flyve_mdm.text import php

_BARRIER = "flyvemdm-backend/barrier"


class Died(Exception):
    """The real daemon dies of this message, and its script starts it again."""


class Listener:
    """Listens to `#` with QoS 0 and full rights, as the real daemon does."""

    def __init__(self, broker: Broker, events: EventLog) -> None:
        self._broker, self._events = broker, events
        self._connected = threading.Event()
        self._inbox: queue.SimpleQueue[mqtt.MQTTMessage | None] = queue.SimpleQueue()
        # Work is done outside of paho's thread, which must stay free to publish.
        self._worker: threading.Thread | None = None
        self._client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id="flyvemdm-backend",
            reconnect_on_failure=True,
        )
        self._client.username_pw_set(BACKEND_USER, broker.password)
        self._client.reconnect_delay_set(0.05, 1)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = lambda *_: self._connected.clear()
        self._client.on_subscribe = lambda *_: self._connected.set()
        self._client.on_message = lambda client, userdata, message: self._inbox.put(message)

    def start(self, take: Callable[[mqtt.MQTTMessage], None], timeout: float = 10.0) -> None:
        """Connect; raises RuntimeError when the broker does not let it in. `take` gets what agents
        say, one message after the other, and may raise Died."""
        self._client.connect_async("127.0.0.1", self._broker.internal_port, 30)
        self._client.loop_start()
        self._worker = threading.Thread(
            target=self._work, args=(take,), name="listener", daemon=True
        )
        self._worker.start()
        if not self.wait_connected(timeout):
            raise RuntimeError("the backend's listener could not connect to its broker")

    def stop(self) -> None:
        """Disconnect and end the threads."""
        self._client.disconnect()
        self._client.loop_stop()
        if self._worker:
            self._inbox.put(None)
            self._worker.join(stretched(5))

    def pause(self) -> None:
        """Leave the broker, as a daemon that is down: what agents say meanwhile is lost."""
        self._client.disconnect()
        self._client.loop_stop()

    def resume(self) -> None:
        """Come back after pause(); returns when it listens again."""
        self._client.reconnect()
        self._client.loop_start()
        self.wait_connected()

    def wait_connected(self, timeout: float = 10.0) -> bool:
        """Wait until it is connected and subscribed."""
        return self._connected.wait(stretched(timeout))

    def publish(self, topic: str, payload: Any, retain: bool = False) -> None:
        """Publish with QoS 0, as the real backend does; a dict becomes JSON, None an empty one."""
        if isinstance(payload, dict):
            payload = php(payload)
        self._connected.wait(stretched(5))
        self._client.publish(topic, payload, qos=0, retain=retain)
        self._events.add("published", topic=topic, payload=payload or "", retain=retain)

    def flush(self, timeout: float = 5.0) -> None:
        """Wait until the broker has taken all that was published before."""
        # An error means that it is not connected: then nothing is in flight.
        with contextlib.suppress(RuntimeError, ValueError):
            self._client.publish(_BARRIER, b"", qos=1).wait_for_publish(stretched(timeout))

    def _on_connect(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe("#", 0)

    def _work(self, take: Callable[[mqtt.MQTTMessage], None]) -> None:
        while (message := self._inbox.get()) is not None:
            if message.topic == _BARRIER:
                continue
            try:
                take(message)
            except Died:
                self._events.add("listener died")
                self._client.disconnect()
                self._client.reconnect()
