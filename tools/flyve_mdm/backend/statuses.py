"""REST answers of generation C besides MQTT: positions and task statuses."""

from __future__ import annotations

import re
import time
from typing import Any

from flyve_mdm.backend import agents
from flyve_mdm.backend.glpi import DENIED, Answer, Call, GlpiError
from flyve_mdm.backend.model import DEVICE, Agent, Session, Status
from flyve_mdm.backend.site import Site

FINAL = ("done", "failed", "canceled", "incompatible", "overriden")
STATUSES = ("pending", "received", *FINAL)
DEPLOYMENTS = ("deployFile", "deployApp", "removeFile", "removeApp")
_CRITERION = re.compile(r"criteria\[(\d+)\]\[(field|searchtype|value)\]")


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
    """GET and PUT PluginFlyvemdmTaskstatus/:id."""
    row = site.state.statuses.get(call.item_id)
    if row is None:
        raise GlpiError(404, "ERROR_ITEM_NOT_FOUND", "Item not found")
    if call.method == "GET":
        return Answer.of(
            {
                "id": row.id,
                "status": row.status,
                "plugin_flyvemdm_agents_id": row.agent_id,
                "plugin_flyvemdm_tasks_id": row.task_id,
                "links": [],
            }
        )
    status = call.input().get("status")
    agent = _agent(site, session, "ERROR_GLPI_UPDATE")
    if row.agent_id != agent.id or not set_status(site, agent, row.task_id, status):
        raise GlpiError(400, "ERROR_GLPI_UPDATE", DENIED)
    return Answer.of([{str(row.id): True, "message": ""}])


def search(site: Site, session: Session, call: Call) -> Answer:
    """GET search/PluginFlyvemdmTaskstatus: field 5 is the agent, 6 the task, 2 the row's id."""
    if call.segments[1:2] != ["PluginFlyvemdmTaskstatus"]:
        raise GlpiError(
            400,
            "ERROR_RESOURCE_NOT_FOUND_NOR_COMMONDBTM",
            "resource not found or not an instance of CommonDBTM",
            documented=True,
        )
    criteria: dict[str, dict[str, str]] = {}
    for key, value in call.query.items():
        match = _CRITERION.fullmatch(key)
        if match:
            criteria.setdefault(match[1], {})[match[2]] = value
    rows = [r for r in site.state.statuses.values() if _selected(r, list(criteria.values()))]
    answer: dict[str, Any] = {
        "totalcount": len(rows),
        "count": len(rows),
        "sort": 1,
        "order": "ASC",
    }
    if rows:
        answer["data"] = [{"2": row.id, "3": row.status} for row in rows]
    answer["content-range"] = f"0-{max(0, len(rows) - 1)}/{len(rows)}"
    return Answer.of(answer)


def _selected(row: Status, criteria: list[dict[str, str]]) -> bool:
    values = {"2": str(row.id), "5": str(row.agent_id), "6": str(row.task_id)}
    for criterion in criteria:
        value, wanted = values.get(criterion.get("field", "")), criterion.get("value", "")
        if value is None:
            continue
        equals = criterion.get("searchtype") == "equals"
        if (value != wanted) if equals else (wanted not in value):
            return False
    return True
