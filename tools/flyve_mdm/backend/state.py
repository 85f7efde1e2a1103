"""The backend's memory: all records of GLPI's database."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

from flyve_mdm.backend.model import (
    ADMINISTRATOR,
    ENTITY,
    EXTENSIONS,
    SELF_SERVICE,
    SUPER_ADMIN,
    Agent,
    Computer,
    DocumentType,
    File,
    Fleet,
    Invitation,
    LoggedMessage,
    Position,
    Session,
    Status,
    Task,
    User,
    token,
)
from flyve_mdm.patience import stretched


class State:
    """All records, guarded by `changed`, a condition that is notified on every change."""

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.users: dict[int, User] = {}
        self.invitations: dict[int, Invitation] = {}
        self.computers: dict[int, Computer] = {}
        self.agents: dict[int, Agent] = {}
        self.fleets: dict[int, Fleet] = {}
        self.files: dict[int, File] = {}
        self.packages: dict[int, File] = {}
        self.tasks: dict[int, Task] = {}
        self.statuses: dict[int, Status] = {}
        self.sessions: dict[str, Session] = {}
        self.positions: dict[int, Position] = {}
        self.messages: dict[int, LoggedMessage] = {}
        self.document_types: dict[int, DocumentType] = {}
        # What the entity's configuration says of its help desk.
        self.helpdesk = {
            "support_name": "Help desk",
            "support_phone": "+33 1 23 45 67 89",
            "support_website": "https://support.example.org",
            "support_email": "support@example.org",
        }
        starts = {"users": 42, "agents": 17, "computers": 65, "fleets": 102}
        self._ids = {name: itertools.count(starts.get(name, 1)) for name in vars(self)}
        self.default_fleet = self.add(
            "fleets", Fleet, name="not managed", entity=ENTITY, is_default=True
        )
        for ext in EXTENSIONS:
            self.add("document_types", DocumentType, name=ext.upper(), ext=ext)
        self.administrator = User(
            ADMINISTRATOR, "glpi", [], token(40), [SUPER_ADMIN, SELF_SERVICE]
        )
        self.users[ADMINISTRATOR] = self.administrator

    def add(self, table: str, record: type, **fields: Any) -> Any:
        """Create a record with the table's next id."""
        with self.changed:
            row = record(id=next(self._ids[table]), **fields)
            getattr(self, table)[row.id] = row
            self.changed.notify_all()
            return row

    def wait_for(self, predicate: Callable[[], Any], timeout: float) -> Any:
        """Wait until `predicate()` is true; returns its last value."""
        with self.changed:
            return self.changed.wait_for(predicate, max(0, stretched(timeout)))

    def user_by_token(self, api_token: str) -> User | None:
        """The account whose API token this is."""
        return next((u for u in self.users.values() if u.api_token == api_token), None)

    def agent_by_topic(self, topic: str) -> Agent | None:
        """The agent whose topic this is, exactly."""
        return next((a for a in self.agents.values() if a.topic == topic), None)

    def find_agent(self, key: Any) -> Agent | None:
        """The agent with this id, serial, topic or (when unique) owner's e-mail."""
        text = str(getattr(key, "id", key))
        named = []
        for agent in self.agents.values():
            if text in (str(agent.id), agent.serial, agent.topic):
                return agent
            if text == agent.name:
                named.append(agent)
        return named[0] if len(named) == 1 else None

    def status_of(self, task: Task, agent: Agent) -> Status:
        """The status row of an agent and a task; made when there is none yet."""
        for row in self.rows_of(task, agent):
            return row
        return self.add("statuses", Status, agent_id=agent.id, task_id=task.id)

    def rows_of(self, task: Task, agent: Agent) -> list[Status]:
        """The status rows of an agent and a task: one, but for faults of the plugin."""
        rows = self.statuses.values()
        return [row for row in rows if row.task_id == task.id and row.agent_id == agent.id]

    def targets(self, task: Task) -> list[Agent]:
        """The agents a task is meant for now."""
        if task.agent_id is not None:
            return [a for a in self.agents.values() if a.id == task.agent_id]
        return [a for a in self.agents.values() if a.fleet_id == task.fleet_id]
