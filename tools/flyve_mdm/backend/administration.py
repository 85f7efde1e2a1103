"""What an administrator does to agents: commands, fleets, unenrollment, deletion."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flyve_mdm.backend import agents, inventory, tasks
from flyve_mdm.backend.model import Agent, Fleet, Task

if TYPE_CHECKING:
    from flyve_mdm.backend.server import Backend

ANSWER_WAIT = 10.0  # what the web interface waits for an answer


class UnknownAgent(LookupError):
    """No agent has this id, serial, topic or e-mail address."""


class Administration:
    """Commands; `agent` is an Agent, its id, serial, topic or (when unique) e-mail address."""

    def agent(self: Backend, key: Agent | int | str) -> Agent:
        """Find an agent; raises UnknownAgent."""
        found = self.state.find_agent(key)
        if found is None:
            raise UnknownAgent(f"no agent {key!s}: list them with `flyve admin list`")
        return found

    def command(self: Backend, agent: Agent, name: str, payload: Any, retain: bool) -> None:
        """Publish on the agent's Command topic."""
        self.events.add("command", agent=agent.id, name=name)
        self.listener.publish(f"{agent.topic}/Command/{name}", payload, retain)

    def _ask(
        self: Backend, agent: Agent, name: str, count: Callable[[], int], wait: float
    ) -> bool:
        before = count()
        self.command(agent, name, {"query": name}, False)
        return self.wait_for(lambda: count() > before, wait)

    def ping(self: Backend, agent: Agent | int | str, wait: float = ANSWER_WAIT) -> bool:
        """Ping; True when the agent answered in time."""
        found = self.agent(agent)
        return self._ask(found, "Ping", lambda: found.pongs, wait)

    def geolocate(
        self: Backend, agent: Agent | int | str, wait: float = ANSWER_WAIT
    ) -> dict[str, Any] | None:
        """Ask for the position; None when no answer came in time."""
        found = self.agent(agent)
        answered = self._ask(found, "Geolocate", lambda: len(found.positions), wait)
        return found.positions[-1] if answered else None

    def inventory(self: Backend, agent: Agent | int | str, wait: float = ANSWER_WAIT) -> bool:
        """Ask for an inventory; True when it came in time."""
        found = self.agent(agent)
        computer = self.state.computers[found.computer_id]
        return self._ask(found, "Inventory", lambda: computer.inventories, wait)

    def lock(self: Backend, agent: Agent | int | str, unlock: bool = False) -> bool:
        """Lock or unlock; False when the backend ignores it because a wipe is set."""
        found = self.agent(agent)
        if found.wipe:
            return False
        found.lock = int(not unlock)
        self.command(found, "Lock", {"lock": "unlock" if unlock else "now"}, True)
        return True

    def wipe(self: Backend, agent: Agent | int | str) -> None:
        """Wipe: no answer exists, and the agent's record stays."""
        found = self.agent(agent)
        found.wipe = 1
        self.command(found, "Wipe", {"wipe": "now"}, True)

    def unenroll(self: Backend, agent: Agent | int | str, wait: float = ANSWER_WAIT) -> bool:
        """Unenroll; True when the agent acknowledged, and so is gone, in time."""
        found = self.agent(agent)
        found.enroll_status = "unenrolling"
        self.command(found, "Unenroll", {"unenroll": "now"}, True)
        return self.wait_for(lambda: found.id not in self.state.agents, wait)

    def delete(self: Backend, agent: Agent | int | str) -> None:
        """Delete by force, without the agent's consent."""
        found = self.agent(agent)
        if self.options.rules != "A" and found.enroll_status == "enrolled":
            self.command(found, "Unenroll", {"unenroll": "now"}, True)
        self.purge(found)
        self.events.add("deleted", agent=found.id)

    def purge(self: Backend, agent: Agent) -> None:
        """Remove an agent with its account, its sessions and its place on the broker."""
        state = self.state
        with state.changed:
            if state.agents.pop(agent.id, None) is None:
                return
            agent.enroll_status = "unenrolled"
            agent.is_online = 0
            state.users.pop(agent.user_id, None)
            for token in [t for t, s in state.sessions.items() if s.user.id == agent.user_id]:
                del state.sessions[token]
            for row in [r for r in state.statuses.values() if r.agent_id == agent.id]:
                del state.statuses[row.id]
            for task in [t for t in state.tasks.values() if t.agent_id == agent.id]:
                del state.tasks[task.id]
            state.changed.notify_all()
        self._clean_topics(agent)
        # Messages go before the account does, as with a broker that reads a database.
        self.listener.flush()
        self.broker.remove_user(agent.serial)
        self.events.add("purged", agent=agent.id, topic=agent.topic)

    def welcome(self: Backend, agent: Agent) -> None:
        """What enrollment leaves on the broker: an empty Unenroll, and no fleet."""
        self._clean_topics(agent)
        self._publish_fleet(agent, None)

    def _clean_topics(self: Backend, agent: Agent) -> None:
        """Clear retained commands: the real code forgets all but the last one, Unenroll."""
        names = ["Command/Unenroll"]
        if self.options.clean_retained:
            names = [f"Command/{n}" for n in ("Lock", "Wipe", "Subscribe", "Unenroll")]
        for name in names:
            self.listener.publish(f"{agent.topic}/{name}", None, True)

    def fleet(self: Backend, agent: Agent | int | str, name: str | None) -> Fleet:
        """Move an agent to the fleet of this name, made when missing; None: to no fleet."""
        found, state = self.agent(agent), self.state
        with state.changed:
            old = state.fleets[found.fleet_id]
            new = state.default_fleet
            if name is not None:
                new = next((f for f in state.fleets.values() if f.name == name), None)
                new = new or state.add("fleets", Fleet, name=name, entity=found.entity)
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
        topic = None if new.is_default else self.fleet_topic(new)
        self.broker.set_rights(found.serial, agents.rights(found, self.options.rules, topic))
        self._publish_fleet(found, topic)
        self.events.add("fleet", agent=found.id, fleet=new.name)
        return new

    def fleet_topic(self: Backend, fleet: Fleet) -> str:
        """The topic of a fleet."""
        slash = "/" if self.options.rules == "A" else ""
        return f"{slash}{fleet.entity}/fleet/{fleet.id}"

    def _publish_fleet(self: Backend, agent: Agent, topic: str | None) -> None:
        name = "Subscription" if self.options.rules == "A" else "Command/Subscribe"
        payload = {"subscribe": [{"topic": topic}]}
        self.listener.publish(f"{agent.topic}/{name}", payload, True)

    def failures(self: Backend, agent: Agent) -> list[dict[str, str]]:
        """Why the agent's last tasks failed, as its newest inventory tells."""
        return inventory.failures(self.state.computers[agent.computer_id].inventory)

    def why(self: Backend, agent: Agent, task: Task, wait: float = 0.0) -> str | None:
        """Why a task failed; waits for the inventory that an agent sends after it."""

        def found() -> str | None:
            rows = [one for one in self.failures(agent) if one["task"] == str(task.id)]
            return rows[-1]["why"] if rows else None

        self.wait_for(lambda: found() is not None, wait)
        return found()

    def describe(self: Backend) -> list[dict[str, Any]]:
        """All agents, for a list; no secrets."""
        with self.state.changed:
            failed = {agent.id: self.failures(agent) for agent in self.state.agents.values()}
            return [
                {
                    "id": agent.id,
                    "serial": agent.serial,
                    "email": agent.name,
                    "topic": agent.topic,
                    "version": agent.version,
                    "online": agent.online,
                    "status": agent.enroll_status,
                    "fleet": self.state.fleets[agent.fleet_id].name,
                    "lock": agent.lock,
                    "wipe": agent.wipe,
                    "last_contact": agent.last_contact,
                    "position": agent.positions[-1] if agent.positions else None,
                    "tasks": [
                        {
                            "task": r.task_id,
                            "symbol": self.state.tasks[r.task_id].symbol,
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
                        for r in self.state.statuses.values()
                        if r.agent_id == agent.id and r.task_id in self.state.tasks
                    ],
                }
                for agent in self.state.agents.values()
            ]


FINAL = tuple(s for s in tasks.STATUSES if s not in ("pending", "received"))
