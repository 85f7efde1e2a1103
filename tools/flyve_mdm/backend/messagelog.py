"""The plugin's log of MQTT messages, sent and received: PluginFlyvemdmMqttlog."""

from __future__ import annotations

from flyve_mdm.backend.events import Event
from flyve_mdm.backend.model import LoggedMessage, timestamp
from flyve_mdm.backend.state import State

_MOST = 20_000  # messages that this log keeps; the plugin's grows until somebody empties it


class MessageLog:
    """Keeps what is published, and what it is told was received."""

    def __init__(self, state: State) -> None:
        self._state = state

    def published(self, event: Event) -> None:
        """Log what the backend itself publishes: a subscriber of its events."""
        if event.kind == "published":
            self._add("O", event.detail["topic"], event.detail["payload"])

    def received(self, topic: str, text: str) -> None:
        """Log what an agent has sent."""
        self._add("I", topic, text)

    def _add(self, direction: str, topic: str, text: str) -> None:
        state = self._state
        parts = topic.lstrip("/").split("/", 3)
        agent = None
        if len(parts) == 4 and parts[1] == "agent":
            slash = "/" if topic.startswith("/") else ""
            agent = state.agent_by_topic(slash + "/".join(parts[:3]))
        with state.changed:
            state.add(
                "messages", LoggedMessage, date=timestamp(), direction=direction, topic=topic,
                message=text, agent_id=agent.id if agent else 0,
            )  # fmt: skip
            if len(state.messages) > _MOST:
                del state.messages[next(iter(state.messages))]
