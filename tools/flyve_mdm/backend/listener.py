"""The backend's own MQTT client: publishes to agents, and takes what they say."""

from __future__ import annotations

import contextlib
import json
import queue
import re
import threading
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as mqtt

from flyve_mdm.backend import agents, tasks
from flyve_mdm.backend.broker import BACKEND_USER
from flyve_mdm.backend.model import Agent
from flyve_mdm.text import php

if TYPE_CHECKING:
    from flyve_mdm.backend.server import Backend

_BARRIER = "flyvemdm-backend/barrier"
_DATETIME_LIMIT = 2**40


class Listener:
    """Listens to `#` with QoS 0 and full rights, as the real daemon does."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._connected = threading.Event()
        self._inbox: queue.SimpleQueue[mqtt.MQTTMessage | None] = queue.SimpleQueue()
        # Work is done outside of paho's thread, which must stay free to publish.
        self._worker = threading.Thread(target=self._work, name="listener", daemon=True)
        self._client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id="flyvemdm-backend",
            reconnect_on_failure=True,
        )
        self._client.username_pw_set(BACKEND_USER, backend.broker.password)
        self._client.reconnect_delay_set(0.05, 1)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = lambda *_: self._connected.clear()
        self._client.on_subscribe = lambda *_: self._connected.set()
        self._client.on_message = lambda client, userdata, message: self._inbox.put(message)

    def start(self, timeout: float = 10.0) -> None:
        """Connect; raises RuntimeError when the broker does not let it in."""
        self._client.connect_async("127.0.0.1", self._backend.broker.internal_port, 30)
        self._client.loop_start()
        self._worker.start()
        if not self.wait_connected(timeout):
            raise RuntimeError("the backend's listener could not connect to its broker")

    def stop(self) -> None:
        """Disconnect and end the threads."""
        self._client.disconnect()
        self._client.loop_stop()
        if self._worker.is_alive():
            self._inbox.put(None)
            self._worker.join(5)

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
        return self._connected.wait(timeout)

    def publish(self, topic: str, payload: Any, retain: bool = False) -> None:
        """Publish with QoS 0, as the real backend does; a dict becomes JSON, None an empty one."""
        if isinstance(payload, dict):
            payload = php(payload)
        self._connected.wait(5)
        self._client.publish(topic, payload, qos=0, retain=retain)
        self._backend.events.add("published", topic=topic, payload=payload or "", retain=retain)

    def flush(self, timeout: float = 5.0) -> None:
        """Wait until the broker has taken all that was published before."""
        # An error means that it is not connected: then nothing is in flight.
        with contextlib.suppress(RuntimeError, ValueError):
            self._client.publish(_BARRIER, b"", qos=1).wait_for_publish(timeout)

    def _on_connect(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe("#", 0)

    def _work(self) -> None:
        while (message := self._inbox.get()) is not None:
            if message.topic != _BARRIER:
                self._take(message)

    def _take(self, message: mqtt.MQTTMessage) -> None:
        """Dispatch on all behind the third slash; an extra slash makes it another topic."""
        slashes = 4 if self._backend.options.rules == "A" else 3
        parts = message.topic.split("/", slashes)
        agent = None
        if len(parts) == slashes + 1:
            agent = self._backend.state.agent_by_topic("/".join(parts[:slashes]))
        sub = parts[-1]
        if agent is None:
            if "/agent/" in message.topic and "/Status/" in message.topic:
                self._ignore(message, "no such agent")
            return
        text = message.payload.decode("utf-8", "replace")
        if message.retain and sub != "Status/Online":
            self._backend.events.add("retained", topic=message.topic)
        handlers = {
            "Status/Online": self._online,
            "Status/Ping": self._ping,
            "Status/Geolocation": self._geolocation,
            "Status/Inventory": self._inventory,
            "Status/Task": self._tasks,
            "Status/Unenroll": self._unenroll,
            "Status/Install": lambda agent, text: agents.contact(self._backend, agent),
            "FlyvemdmManifest/Status/Version": self._version,
        }
        if sub in handlers:
            handlers[sub](agent, text)
        elif sub.startswith("Status/Task/") and self._backend.options.rules != "A":
            self._task(agent, sub.rpartition("/")[2], text)
        elif sub.startswith("Status/"):
            self._ignore(message, "unknown topic")

    def _ignore(self, message: mqtt.MQTTMessage, reason: str) -> None:
        self._backend.events.add("ignored", topic=message.topic, reason=reason)

    def _online(self, agent: Agent, text: str) -> None:
        options = self._backend.options
        value = _json(text)
        value = value.get("online") if isinstance(value, dict) else None
        state = online_state(value, options.rules, options.php)
        if state is None:
            self._backend.events.add("ignored", agent=agent.id, reason="online is not understood")
            return
        agents.contact(self._backend, agent)
        agents.set_online(self._backend, agent, state)

    def _ping(self, agent: Agent, text: str) -> None:
        if text != "!":
            self._backend.events.add("ignored", agent=agent.id, reason="the pong is not !")
            return
        agents.contact(self._backend, agent)
        agent.pongs += 1
        self._backend.events.add("pong", agent=agent.id, by="mqtt")

    def _geolocation(self, agent: Agent, text: str) -> None:
        value = _json(text)
        if text == "?" or not isinstance(value, dict):
            return
        when = value.get("datetime")
        if isinstance(when, bool) or not isinstance(when, int) or not 0 <= when < _DATETIME_LIMIT:
            # The real daemon dies of a fraction, and its script starts it again.
            self._backend.events.add("ignored", agent=agent.id, reason="datetime is no integer")
            if isinstance(when, float) and self._backend.options.listener_dies:
                self._backend.events.add("listener died")
                self._client.disconnect()
                self._client.reconnect()
            return
        place = {"datetime": when, "latitude": "na", "longitude": "na"}
        if value.get("gps") != "off":
            if not all(isinstance(value.get(n), (int, float)) for n in ("latitude", "longitude")):
                self._backend.events.add("ignored", agent=agent.id, reason="no coordinates")
                return
            place |= {"latitude": value["latitude"], "longitude": value["longitude"]}
        tasks.store_position(self._backend, agent, place)

    def _inventory(self, agent: Agent, text: str) -> None:
        if agents.store_inventory(self._backend, agent, text):
            agents.contact(self._backend, agent)

    def _tasks(self, agent: Agent, text: str) -> None:
        """Generation A's form: a list of task ids and statuses."""
        value = _json(text)
        rows = value.get("updateStatus") if isinstance(value, dict) else None
        if self._backend.options.rules == "C" or not isinstance(rows, list):
            self._backend.events.add("ignored", agent=agent.id, reason="no list of statuses")
            return
        for row in rows:
            if isinstance(row, dict):
                self._task(agent, str(row.get("taskId")), json.dumps(row))

    def _task(self, agent: Agent, task_id: str, text: str) -> None:
        value = _json(text)
        if not task_id.isdigit() or not isinstance(value, dict):
            self._backend.events.add("ignored", agent=agent.id, reason="malformed task status")
            return
        tasks.set_status(self._backend, agent, int(task_id), value.get("status"))

    def _unenroll(self, agent: Agent, text: str) -> None:
        # Whatever the payload is, an empty one included.
        self._backend.events.add("unenrolled", agent=agent.id, topic=agent.topic)
        self._backend.purge(agent)

    def _version(self, agent: Agent, text: str) -> None:
        if self._backend.options.rules == "A":
            if not re.fullmatch(r"[\d.]+", text):
                self._backend.events.add("ignored", agent=agent.id, reason="no version")
                return
            agent.version = text
            self._backend.events.add("version", agent=agent.id, version=agent.version)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def online_state(value: Any, generation: str, php: int = 7) -> bool | None:
    """What the backend makes of the value of "online"; None is ignored (3.4's table)."""
    if value is None:
        return None
    if generation == "C":
        # PHP's truth: an empty array is false, and so is the text "0".
        return value not in (False, 0, "", "0", [], {})
    if isinstance(value, bool):
        # `true` equals any text that is not empty, so the first comparison, with "false", wins.
        return False if value else None
    if value == "true":
        return True
    if value == "false" or (php < 8 and value == 0 and isinstance(value, (int, float))):
        return False
    return None
