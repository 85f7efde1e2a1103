"""What an administrator does to agents: commands, fleets, unenrollment, deletion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flyve_mdm import inventory
from flyve_mdm.backend import membership
from flyve_mdm.backend.model import Agent, Fleet, Task
from flyve_mdm.backend.site import Site

ANSWER_WAIT = 10.0  # what the web interface waits for an answer


class UnknownAgent(LookupError):
    """No agent has this id, serial, topic or e-mail address."""


class Administration:
    """Commands; `agent` is an Agent, its id, serial, topic or (when unique) e-mail address."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def agent(self, key: Agent | int | str) -> Agent:
        """Find an agent; raises UnknownAgent."""
        found = self._site.state.find_agent(key)
        if found is None:
            raise UnknownAgent(f"no agent {key!s}: list them with `flyve admin list`")
        return found

    def command(self, agent: Agent, name: str, payload: Any, retain: bool) -> None:
        """Publish on the agent's Command topic."""
        self._site.events.add("command", agent=agent.id, name=name)
        self._site.publish(f"{agent.topic}/Command/{name}", payload, retain)

    def _ask(self, agent: Agent, name: str, count: Callable[[], int], wait: float) -> bool:
        before = count()
        self.command(agent, name, {"query": name}, False)
        return self._site.state.wait_for(lambda: count() > before, wait)

    def ping(self, agent: Agent | int | str, wait: float = ANSWER_WAIT) -> bool:
        """Ping; True when the agent answered in time."""
        found = self.agent(agent)
        return self._ask(found, "Ping", lambda: found.pongs, wait)

    def geolocate(
        self, agent: Agent | int | str, wait: float = ANSWER_WAIT
    ) -> dict[str, Any] | None:
        """Ask for the position; None when no answer came in time."""
        found = self.agent(agent)
        answered = self._ask(found, "Geolocate", lambda: len(found.positions), wait)
        return found.positions[-1] if answered else None

    def inventory(self, agent: Agent | int | str, wait: float = ANSWER_WAIT) -> bool:
        """Ask for an inventory; True when it came in time."""
        found = self.agent(agent)
        computer = self._site.state.computers[found.computer_id]
        return self._ask(found, "Inventory", lambda: computer.inventories, wait)

    def lock(self, agent: Agent | int | str, unlock: bool = False) -> bool:
        """Lock or unlock; False when the backend ignores it because a wipe is set."""
        found = self.agent(agent)
        if found.wipe:
            return False
        found.lock = int(not unlock)
        self.command(found, "Lock", {"lock": "unlock" if unlock else "now"}, True)
        return True

    def wipe(self, agent: Agent | int | str) -> None:
        """Wipe: no answer exists, and the agent's record stays."""
        found = self.agent(agent)
        found.wipe = 1
        self.command(found, "Wipe", {"wipe": "now"}, True)

    def unenroll(self, agent: Agent | int | str, wait: float = ANSWER_WAIT) -> bool:
        """Unenroll; True when the agent acknowledged, and so is gone, in time."""
        found = self.agent(agent)
        found.enroll_status = "unenrolling"
        self.command(found, "Unenroll", {"unenroll": "now"}, True)
        return self._site.state.wait_for(lambda: found.id not in self._site.state.agents, wait)

    def delete(self, agent: Agent | int | str) -> None:
        """Delete by force, without the agent's consent."""
        found = self.agent(agent)
        if self._site.options.rules != "A" and found.enroll_status == "enrolled":
            self.command(found, "Unenroll", {"unenroll": "now"}, True)
        membership.purge(self._site, found)
        self._site.events.add("deleted", agent=found.id)

    def fleet(self, agent: Agent | int | str, name: str | None) -> Fleet:
        """Move an agent to the fleet of this name, made when missing; None: to no fleet."""
        found, state = self.agent(agent), self._site.state
        with state.changed:
            new = state.default_fleet
            if name is not None:
                new = next((f for f in state.fleets.values() if f.name == name), None)
                new = new or state.add("fleets", Fleet, name=name, entity=found.entity)
        return self.move(found, new)

    def move(self, agent: Agent, new: Fleet) -> Fleet:
        """Move an agent to a fleet."""
        found, state = agent, self._site.state
        with state.changed:
            old = state.fleets[found.fleet_id]
            if new is old:
                return new
            for task in state.tasks.values():
                if task.fleet_id == old.id:
                    row = state.status_of(task, found)
                    row.status = "canceled"
                    row.history.append("canceled")
            found.fleet_id = new.id
            for task in state.tasks.values():
                if task.fleet_id == new.id:
                    row = state.status_of(task, found)
                    row.status = "pending"
                    row.history.append("pending")
        topic = None if new.is_default else membership.fleet_topic(self._site, new)
        self._site.broker.set_rights(
            found.serial, membership.rights(found, self._site.options.rules, topic)
        )
        membership.tell_fleet(self._site, found, topic)
        self._site.events.add("fleet", agent=found.id, fleet=new.name)
        return new

    def failures(self, agent: Agent) -> list[dict[str, str]]:
        """Why the agent's last tasks failed, as its newest inventory tells."""
        return inventory.failures(self._site.state.computers[agent.computer_id].inventory)

    def why(self, agent: Agent, task: Task, wait: float = 0.0) -> str | None:
        """Why a task failed; waits for the inventory that an agent sends after it."""

        def found() -> str | None:
            rows = [one for one in self.failures(agent) if one["task"] == str(task.id)]
            return rows[-1]["why"] if rows else None

        self._site.state.wait_for(lambda: found() is not None, wait)
        return found()

    def describe(self) -> list[dict[str, Any]]:
        """All agents, for a list; no secrets."""
        with self._site.state.changed:
            failed = {agent.id: self.failures(agent) for agent in self._site.state.agents.values()}
            return [
                {
                    "id": agent.id,
                    "serial": agent.serial,
                    "email": agent.name,
                    "topic": agent.topic,
                    "version": agent.version,
                    "online": agent.online,
                    "status": agent.enroll_status,
                    "fleet": self._site.state.fleets[agent.fleet_id].name,
                    "lock": agent.lock,
                    "wipe": agent.wipe,
                    "last_contact": agent.last_contact,
                    "position": agent.positions[-1] if agent.positions else None,
                    "tasks": [
                        {
                            "task": r.task_id,
                            "symbol": self._site.state.tasks[r.task_id].symbol,
                            "status": r.status,
                            "why": next(
                                (
                                    one["why"]
                                    for one in failed[agent.id]
                                    if one["task"] == str(r.task_id) and one["status"] == r.status
                                ),
                                None,
                            ),
                        }
                        for r in self._site.state.statuses.values()
                        if r.agent_id == agent.id and r.task_id in self._site.state.tasks
                    ],
                }
                for agent in self._site.state.agents.values()
            ]
