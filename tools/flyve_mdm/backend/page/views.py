"""What the page shows, taken out of the backend's records; no secret is among it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from flyve_mdm import inventory
from flyve_mdm.backend.model import Agent, Invitation, Status, Task
from flyve_mdm.backend.site import Site

ROWS = 50  # devices on one page
_INVITATIONS = 10
_FAILED = ("failed", "incompatible")
_VERBS = {
    "deployFile": "file {} to {}",
    "deployApp": "application {}",
    "removeFile": "remove file {}",
    "removeApp": "remove application {}",
}


@dataclass
class TaskView:
    """A task of one device."""

    id: int
    what: str
    status: str
    why: str

    @property
    def failed(self) -> bool:
        """Whether it came to a bad end."""
        return self.status in _FAILED


@dataclass
class DeviceView:
    """A device, as the list shows it."""

    id: int
    name: str
    email: str
    online: bool
    marks: list[str]
    locked: bool
    last_contact: str
    fleet: str
    counts: str
    failures: list[TaskView]
    tasks: list[TaskView]


@dataclass
class InvitationView:
    """An invitation that nobody has used yet."""

    id: int
    email: str
    status: str
    why: str


@dataclass
class ListView:
    """A page of the list; `page` of `pages` counts from 1."""

    devices: list[DeviceView]
    invitations: list[InvitationView]
    summary: str
    page: int
    pages: int


class Views:
    """Makes them; a device's reasons are read anew only when it has sent another inventory."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._reasons: dict[int, tuple[int, dict[tuple[str, str], str]]] = {}

    def listed(self, page: int) -> ListView:
        """The list of devices, ROWS to a page."""
        state = self._site.state
        with state.changed:
            agents = list(state.agents.values())
            rows = _by_agent(state.statuses.values())
            pages = max(1, -(-len(agents) // ROWS))
            page = min(max(page, 1), pages)
            shown = agents[(page - 1) * ROWS : page * ROWS]
            online = sum(agent.online for agent in agents)
            failed = sum(r.status in _FAILED for own in rows.values() for r in own)
            summary = f"{_counted(len(agents), 'device')}, {online} online"
            if failed:
                summary += f", {_counted(failed, 'failed task')}"
            return ListView(
                [self._device(agent, rows.get(agent.id, [])) for agent in shown],
                self._invitations(), summary, page, pages,
            )  # fmt: skip

    def device(self, agent: Agent) -> DeviceView:
        """One device with all its tasks, the newest first."""
        with self._site.state.changed:
            rows = _by_agent(self._site.state.statuses.values())
            return self._device(agent, rows.get(agent.id, []))

    def details(self, agent: Agent) -> list[tuple[str, str]]:
        """What there is to know of a device beside its state."""
        place = agent.positions[-1] if agent.positions else None
        where = "never told"
        if place:
            known = place["latitude"] != "na"
            where = f"{place['latitude']}, {place['longitude']}" if known else "it knows none"
        return [
            ("Id", str(agent.id)),
            ("E-mail", agent.name),
            ("Version", agent.version),
            ("Last inventory", agent.last_report or "never"),
            ("Position", where),
        ]

    def inventory(self, agent: Agent) -> list[tuple[str, str, str]]:
        """Section, name and value; the account of the inventory holds the invitation's token."""
        xml = self._site.state.computers[agent.computer_id].inventory
        # The reasons are beside the tasks.
        left_out = ("ACCOUNTINFO", inventory.FAILURES)
        return [row for row in inventory.rows(xml) if row[0] not in left_out]

    def _device(self, agent: Agent, rows: list[Status]) -> DeviceView:
        tasks = self._tasks(agent, rows)
        marks = ["locked"] * bool(agent.lock) + ["wipe ordered"] * bool(agent.wipe)
        if agent.enroll_status != "enrolled":
            marks.append(agent.enroll_status)
        counts = Counter(task.status for task in tasks)
        return DeviceView(
            agent.id, agent.serial or f"device {agent.id}", agent.name, agent.online, marks,
            bool(agent.lock), agent.last_contact or "never",
            self._site.state.fleets[agent.fleet_id].name,
            ", ".join(f"{number} {status}" for status, number in counts.items()) or "none",
            [task for task in tasks if task.failed], tasks,
        )  # fmt: skip

    def _tasks(self, agent: Agent, rows: list[Status]) -> list[TaskView]:
        known = self._site.state.tasks
        why = self._why(agent) if any(row.status in _FAILED for row in rows) else {}
        return [
            TaskView(
                row.task_id, _what(known[row.task_id]), row.status,
                why.get((str(row.task_id), row.status), ""),
            )
            for row in reversed(rows)
            if row.task_id in known
        ]  # fmt: skip

    def _why(self, agent: Agent) -> dict[tuple[str, str], str]:
        computer = self._site.state.computers[agent.computer_id]
        told = self._reasons.get(computer.id)
        if told is None or told[0] != computer.inventories:
            failures = inventory.failures(computer.inventory)
            told = computer.inventories, {(f["task"], f["status"]): f["why"] for f in failures}
            self._reasons[computer.id] = told
        return told[1]

    def _invitations(self) -> list[InvitationView]:
        waiting = [one for one in self._site.state.invitations.values() if one.status != "done"]
        return [self._invitation(one) for one in reversed(waiting[-_INVITATIONS:])]

    def _invitation(self, one: Invitation) -> InvitationView:
        late = one.expires is not None and one.expires < time.time()
        user = self._site.state.users.get(one.user_id)
        email = user.emails[0] if user and user.emails else "unknown"
        why = one.log[-1][1] if one.log else ""
        return InvitationView(one.id, email, "expired" if late else one.status, why)


def _by_agent(rows: Iterable[Status]) -> dict[int, list[Status]]:
    found: dict[int, list[Status]] = {}
    for row in rows:
        found.setdefault(row.agent_id, []).append(row)
    return found


def _what(task: Task) -> str:
    value = task.value.get(task.symbol, "")
    if task.symbol == "deployFile" and task.item:
        return _VERBS[task.symbol].format(task.item.name, value)
    return _VERBS.get(task.symbol, f"{task.symbol} {{}}").format(value)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
