"""The backend's memory: what GLPI keeps in its database."""

from __future__ import annotations

import itertools
import secrets
import string
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flyve_mdm.patience import stretched

ENTITY = 76
SELF_SERVICE, SUPER_ADMIN, GUEST, DEVICE = 1, 4, 9, 10
PROFILES = {
    SELF_SERVICE: "Self-Service",
    SUPER_ADMIN: "Super-Admin",
    GUEST: "Flyve MDM guest users",
    DEVICE: "Flyve MDM device agent users",
}


def token(length: int) -> str:
    """Random letters and digits that never look like a number."""
    alphabet = string.ascii_letters + string.digits
    while True:
        text = "".join(secrets.choice(alphabet) for _ in range(length))
        if not text[0].isdigit() and any(c in text for c in "ghijklmnopqrstuvwxyz"):
            return text


def timestamp(when: float | None = None) -> str:
    """A time as GLPI stores it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when))


@dataclass
class User:
    """An account: a human's (login is the e-mail) or an agent's."""

    id: int
    login: str
    emails: list[str]
    api_token: str = field(repr=False)
    profiles: list[int]
    firstname: str = ""
    realname: str = ""
    phone: str = ""
    phone2: str = ""
    agent_id: int | None = None
    may_update: bool = False


@dataclass
class Invitation:
    """An invitation to enroll one device."""

    id: int
    user_id: int
    token: str = field(repr=False)
    status: str = "pending"
    expires: float | None = None
    log: list[str] = field(default_factory=list)


@dataclass
class Computer:
    """An inventoried computer; outlives its agent."""

    id: int
    device_id: str
    serial: str
    entity: int
    uuid: str = ""
    inventory: str = field(default="", repr=False)
    inventories: int = 0


@dataclass
class Agent:
    """An enrolled device."""

    id: int
    name: str
    version: str
    computer_id: int
    user_id: int
    owner_id: int
    entity: int
    serial: str
    topic: str
    fleet_id: int
    mdm_type: str = "android"
    has_system_permission: int = 0
    notification_type: str = "mqtt"
    notification_token: str = ""
    wipe: int = 0
    lock: int = 0
    enroll_status: str = "enrolled"
    is_online: int = 0
    last_contact: str | None = None
    last_report: str | None = None
    pongs: int = 0
    mqttpasswd: str = field(default="", repr=False)
    positions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def online(self) -> bool:
        """Whether the backend shows the device as online."""
        return bool(self.is_online)


@dataclass
class Fleet:
    """A group of agents; the default fleet is the one of agents in none."""

    id: int
    name: str
    entity: int
    is_default: bool = False


@dataclass
class File:
    """A file, or (with a package name) an application, that agents download."""

    id: int
    name: str
    data: bytes | None = field(repr=False)
    package_name: str = ""
    version: int = 1
    version_code: str = "1"
    entity: int = 0
    modified: float = field(default_factory=time.time)


@dataclass
class Status:
    """What one agent said about one task; `history` holds every status it had."""

    id: int
    agent_id: int
    task_id: int
    status: str = "pending"
    history: list[str] = field(default_factory=lambda: ["pending"])


@dataclass
class Task:
    """A policy applied to an agent or to a fleet."""

    id: int
    symbol: str
    value: dict[str, Any]
    group: str
    agent_id: int | None = None
    fleet_id: int | None = None
    item: File | None = None


@dataclass
class Session:
    """A REST session."""

    token: str = field(repr=False)
    user: User
    profile: int
    used: float
    node: int = 0  # behind a balancer


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
        starts = {"users": 42, "agents": 17, "computers": 65, "fleets": 102}
        self._ids = {name: itertools.count(starts.get(name, 1)) for name in vars(self)}
        self.default_fleet = self.add(
            "fleets", Fleet, name="not managed", entity=ENTITY, is_default=True
        )

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
        for row in self.statuses.values():
            if row.task_id == task.id and row.agent_id == agent.id:
                return row
        return self.add("statuses", Status, agent_id=agent.id, task_id=task.id)

    def targets(self, task: Task) -> list[Agent]:
        """The agents a task is meant for now."""
        if task.agent_id is not None:
            return [a for a in self.agents.values() if a.id == task.agent_id]
        return [a for a in self.agents.values() if a.fleet_id == task.fleet_id]
