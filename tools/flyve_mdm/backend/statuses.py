"""REST answers of generation C besides MQTT: positions and task statuses."""

from __future__ import annotations

import time
from typing import Any

from flyve_mdm.backend import agents
from flyve_mdm.backend.glpi import DENIED, Answer, Call, GlpiError
from flyve_mdm.backend.model import DEVICE, Agent, Position, Session
from flyve_mdm.backend.site import Site

FINAL = ("done", "failed", "canceled", "incompatible", "overriden")
STATUSES = ("pending", "received", *FINAL)
DEPLOYMENTS = ("deployFile", "deployApp", "removeFile", "removeApp")


def _agent(site: Site, session: Session, code: str) -> Agent:
    agent = site.state.agents.get(session.user.agent_id)
    if session.profile != DEVICE or agent is None or site.options.rules != "C":
        raise GlpiError(400, code, DENIED)
    return agent


def set_status(site: Site, agent: Agent, task_id: int, status: Any) -> bool:
    """Store what an agent says about a task; False when the backend drops it."""
    with site.state.changed:
        task = site.state.tasks.get(task_id)
        reason = None
        if task is None:
            reason = "no such task"
        elif agent not in site.state.targets(task):
            reason = "task of another agent or fleet"
        elif status not in STATUSES and not (status == "waiting" and task.symbol in DEPLOYMENTS):
            reason = f"unknown status {status!r}"
        elif len(site.state.rows_of(task, agent)) > 1:
            reason = "the status has two rows"
        if reason:
            site.events.add("ignored", agent=agent.id, task=task_id, reason=reason)
            return False
        row = site.state.status_of(task, agent)
        row.status = status
        row.history.append(status)
        agents.contact(site, agent)
        site.events.add("task", agent=agent.id, task=task_id, symbol=task.symbol, status=status)
    return True


def store_position(site: Site, agent: Agent, position: dict[str, Any]) -> None:
    """Store a position, or that there is none."""
    with site.state.changed:
        agent.positions.append(position)
        site.state.add("positions", Position, computer_id=agent.computer_id, place=position)
        agents.contact(site, agent)
        site.events.add("position", agent=agent.id, **position)


def geolocation(site: Site, session: Session, call: Call) -> Answer:
    """POST PluginFlyvemdmGeolocation."""
    fields = call.input()
    agent = _agent(site, session, "ERROR_GLPI_ADD")
    if str(fields.get("_agents_id")) != str(agent.id):
        raise GlpiError(400, "ERROR_GLPI_ADD", DENIED)
    try:
        when = int(fields.get("_datetime", time.time()))
        position: dict[str, Any] = {"datetime": when, "latitude": "na", "longitude": "na"}
        if fields.get("_gps") != "off":
            for name in ("latitude", "longitude"):
                position[name] = float(fields[name])
                if not -180 <= position[name] <= 180:
                    raise ValueError(name)
    except (KeyError, TypeError, ValueError):
        raise GlpiError(400, "ERROR_GLPI_ADD", "Invalid coordinates") from None
    store_position(site, agent, position)
    place = f"{site.url.rstrip('/')}/PluginFlyvemdmGeolocation/{len(agent.positions)}"
    return Answer.of({"id": len(agent.positions), "message": ""}, 201, location=place)


def task_status(site: Site, session: Session, call: Call) -> Answer:
    """PUT PluginFlyvemdmTaskstatus/:id."""
    row = site.state.statuses.get(call.item_id)
    if row is None:
        raise GlpiError(404, "ERROR_ITEM_NOT_FOUND", "Item not found")
    status = call.input().get("status")
    agent = _agent(site, session, "ERROR_GLPI_UPDATE")
    if row.agent_id != agent.id or not set_status(site, agent, row.task_id, status):
        raise GlpiError(400, "ERROR_GLPI_UPDATE", DENIED)
    return Answer.of([{str(row.id): True, "message": ""}])
