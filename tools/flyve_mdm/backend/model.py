"""The records that GLPI keeps in its database."""

from __future__ import annotations

import secrets
import string
import time
from dataclasses import dataclass, field
from typing import Any

ENTITY = 76
ENTITIES = (0, ENTITY)  # the root, and the company below it
ADMINISTRATOR = 2  # GLPI's own first account, "glpi"
SELF_SERVICE, SUPER_ADMIN, GUEST, DEVICE = 1, 4, 9, 10
PROFILES = {
    SELF_SERVICE: "Self-Service",
    SUPER_ADMIN: "Super-Admin",
    GUEST: "Flyve MDM guest users",
    DEVICE: "Flyve MDM device agent users",
}
# What GLPI takes by default, and the two that a button of the plugin's adds.
EXTENSIONS = (
    "gz", "tgz", "zip", "bz2", "txt", "xml", "csv", "c", "h", "pdf", "png", "jpg", "rpm", "deb",
    "apk", "upk",
)  # fmt: skip


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
    password: str = field(default="", repr=False)


@dataclass
class Invitation:
    """An invitation to enroll one device."""

    id: int
    user_id: int
    token: str = field(repr=False)
    status: str = "pending"
    expires: float | None = None
    log: list[tuple[str, str]] = field(default_factory=list)  # when, and why not
    mail: str = field(default="", repr=False)  # the link in it; none: GLPI sends no mail


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
    entity: int | None = None  # whose devices may have it; None: all
    comment: str = ""
    alias: str = ""
    shown_version: str = ""  # an application's, as GLPI shows it
    parse_status: str = "parsed"
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
    remove_on_delete: int = 0


@dataclass
class Position:
    """Where a computer was; it outlives the agent."""

    id: int
    computer_id: int
    place: dict[str, Any]


@dataclass
class LoggedMessage:
    """An MQTT message in the plugin's log: received ("I") or published ("O")."""

    id: int
    date: str
    direction: str
    topic: str
    message: str
    agent_id: int = 0


@dataclass
class DocumentType:
    """A file name's extension that GLPI takes."""

    id: int
    name: str
    ext: str
    is_uploadable: int = 1


@dataclass
class Session:
    """A REST session."""

    token: str = field(repr=False)
    user: User
    profile: int
    used: float
    node: int = 0  # behind a balancer
    entity: int = 0  # new items come there
    entities: tuple[int, ...] = ENTITIES  # items of these are seen
