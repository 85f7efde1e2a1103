"""What agents say by MQTT, and what the backend makes of it."""

from __future__ import annotations

import json
import re
from typing import Any

import paho.mqtt.client as mqtt

from flyve_mdm.backend import agents, membership, statuses
from flyve_mdm.backend.listener import Died
from flyve_mdm.backend.messagelog import MessageLog
from flyve_mdm.backend.model import Agent
from flyve_mdm.backend.site import Site

_DATETIME_LIMIT = 2**40


class Reports:
    """Takes the messages of all agents."""

    def __init__(self, site: Site, log: MessageLog) -> None:
        self._site, self._log = site, log

    def take(self, message: mqtt.MQTTMessage) -> None:
        """Dispatch on all behind the third slash; an extra slash makes it another topic."""
        slashes = 4 if self._site.options.rules == "A" else 3
        parts = message.topic.split("/", slashes)
        agent = None
        if len(parts) == slashes + 1:
            agent = self._site.state.agent_by_topic("/".join(parts[:slashes]))
        sub = parts[-1]
        if agent is None:
            if "/agent/" in message.topic and "/Status/" in message.topic:
                self._ignore(message, "no such agent")
            return
        text = message.payload.decode("utf-8", "replace")
        if sub.startswith("Status/"):
            self._log.received(message.topic, text)
        if message.retain and sub != "Status/Online":
            self._site.events.add("retained", topic=message.topic)
        handlers = {
            "Status/Online": self._online,
            "Status/Ping": self._ping,
            "Status/Geolocation": self._geolocation,
            "Status/Inventory": self._inventory,
            "Status/Task": self._tasks,
            "Status/Unenroll": self._unenroll,
            "Status/Install": lambda agent, text: agents.contact(self._site, agent),
            "FlyvemdmManifest/Status/Version": self._version,
        }
        if sub in handlers:
            handlers[sub](agent, text)
        elif sub.startswith("Status/Task/") and self._site.options.rules != "A":
            self._task(agent, sub.rpartition("/")[2], text)
        elif sub.startswith("Status/"):
            self._ignore(message, "unknown topic")

    def _ignore(self, message: mqtt.MQTTMessage, reason: str) -> None:
        self._site.events.add("ignored", topic=message.topic, reason=reason)

    def _online(self, agent: Agent, text: str) -> None:
        options = self._site.options
        value = _json(text)
        value = value.get("online") if isinstance(value, dict) else None
        state = online_state(value, options.rules, options.php)
        if state is None:
            self._site.events.add("ignored", agent=agent.id, reason="online is not understood")
            return
        agents.contact(self._site, agent)
        agents.set_online(self._site, agent, state)

    def _ping(self, agent: Agent, text: str) -> None:
        if text != "!":
            self._site.events.add("ignored", agent=agent.id, reason="the pong is not !")
            return
        agents.contact(self._site, agent)
        agent.pongs += 1
        self._site.events.add("pong", agent=agent.id, by="mqtt")

    def _geolocation(self, agent: Agent, text: str) -> None:
        value = _json(text)
        if text == "?" or not isinstance(value, dict):
            return
        when = value.get("datetime")
        if isinstance(when, bool) or not isinstance(when, int) or not 0 <= when < _DATETIME_LIMIT:
            # The real daemon dies of a fraction.
            self._site.events.add("ignored", agent=agent.id, reason="datetime is no integer")
            if isinstance(when, float) and self._site.options.listener_dies:
                raise Died
            return
        place = {"datetime": when, "latitude": "na", "longitude": "na"}
        if value.get("gps") != "off":
            if not all(isinstance(value.get(n), (int, float)) for n in ("latitude", "longitude")):
                self._site.events.add("ignored", agent=agent.id, reason="no coordinates")
                return
            place |= {"latitude": value["latitude"], "longitude": value["longitude"]}
        statuses.store_position(self._site, agent, place)

    def _inventory(self, agent: Agent, text: str) -> None:
        if agents.store_inventory(self._site, agent, text):
            agents.contact(self._site, agent)

    def _tasks(self, agent: Agent, text: str) -> None:
        """Generation A's form: a list of task ids and statuses."""
        value = _json(text)
        rows = value.get("updateStatus") if isinstance(value, dict) else None
        if self._site.options.rules == "C" or not isinstance(rows, list):
            self._site.events.add("ignored", agent=agent.id, reason="no list of statuses")
            return
        for row in rows:
            if isinstance(row, dict):
                self._task(agent, str(row.get("taskId")), json.dumps(row))

    def _task(self, agent: Agent, task_id: str, text: str) -> None:
        value = _json(text)
        if not task_id.isdigit() or not isinstance(value, dict):
            self._site.events.add("ignored", agent=agent.id, reason="malformed task status")
            return
        statuses.set_status(self._site, agent, int(task_id), value.get("status"))

    def _unenroll(self, agent: Agent, text: str) -> None:
        # Whatever the payload is, an empty one included.
        self._site.events.add("unenrolled", agent=agent.id, topic=agent.topic)
        membership.purge(self._site, agent)

    def _version(self, agent: Agent, text: str) -> None:
        if self._site.options.rules == "A":
            if not re.fullmatch(r"[\d.]+", text):
                self._site.events.add("ignored", agent=agent.id, reason="no version")
                return
            agent.version = text
            self._site.events.add("version", agent=agent.id, version=agent.version)


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
