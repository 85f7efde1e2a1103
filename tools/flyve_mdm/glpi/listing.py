"""All agents with their serials, fleets, tasks and reasons, in as few requests as can be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flyve_mdm.glpi import agents, reasons
from flyve_mdm.glpi.agents import AGENT, Agent
from flyve_mdm.glpi.errors import GlpiError, Refused
from flyve_mdm.glpi.session import Row, Session

_POSITIONS = 10_000  # of the newest; more are not looked through for one that was long ago


@dataclass(frozen=True)
class Filter:
    """Which agents are wanted; None: all."""

    fleet: str | None = None
    failed: bool = False
    offline_for: timedelta | None = None


Progress = Callable[[int, int], None]


def collect(
    session: Session,
    wanted: Filter,
    whys: bool = False,
    positions: bool = False,
    progress: Progress | None = None,
    lacking: Callable[[str], None] | None = None,
) -> list[Row]:
    """The agents that a filter leaves, as `flyve admin list --json` shows them; whys, positions:
    also what takes requests of its own. lacking: is told when the right for these is missing, and
    they are left out; None: that is an error."""
    params = {}
    fleets = {row["id"]: row for row in session.pages("PluginFlyvemdmFleet")}
    if wanted.fleet is not None:
        ids = [number for number, row in fleets.items() if str(row["name"]) == wanted.fleet]
        if not ids:
            raise GlpiError(f"there is no fleet {wanted.fleet}")
        if len(ids) == 1:
            params["searchText[plugin_flyvemdm_fleets_id]"] = f"^{ids[0]}$"
    rows = list(session.pages(AGENT, progress, **params))
    if wanted.fleet is not None:
        rows = [row for row in rows if row["plugin_flyvemdm_fleets_id"] in ids]
    if wanted.offline_for is not None:
        rows = [row for row in rows if _silent(session, row, wanted.offline_for)]
    if not rows:
        return []
    tasks = _tasks(session, rows)
    if wanted.failed:
        rows = [row for row in rows if any(_failed(task) for task in tasks.get(row["id"], []))]
    # Serials are columns of computers, of which GLPI may have many more than agents.
    computers = session.some("Computer", {row["computers_id"] for row in rows})
    found = [Agent(row, _serial(computers.get(row["computers_id"]))) for row in rows]
    where: dict[int, Any] = {}
    try:
        if positions:
            where = _places(session, found)
        if whys:
            _explain(session, found, tasks)
    except Refused as refused:
        if lacking is None or not refused.denied:
            raise
        lacking(str(refused))
    shown = []
    for agent in found:
        mine = tasks.get(agent.id, [])
        fleet = fleets.get(agent.row["plugin_flyvemdm_fleets_id"], {"name": ""})
        shown.append(_shown(agent, str(fleet["name"]), where.get(agent.row["computers_id"]), mine))
    return shown


def _serial(computer: Row | None) -> str:
    """A computer's serial; none: somebody has deleted the computer."""
    return str(computer["serial"]) if computer else ""


def _explain(session: Session, found: list[Agent], tasks: dict[int, list[Row]]) -> None:
    """Why tasks failed, where one did."""
    for agent in found:
        mine = tasks.get(agent.id, [])
        if any(map(_failed, mine)):
            told = reasons.told(session, agent)
            for task in mine:
                task["why"] = told.get((str(task["task"]), task["status"]))


def _shown(agent: Agent, fleet: str, position: Row | None, tasks: list[Row]) -> Row:
    row = agent.row
    return {
        "id": agent.id,
        "serial": agent.serial,
        "email": str(row["name"]),
        "topic": agent.topic,
        "version": str(row["version"]),
        "online": bool(row["is_online"]),
        "status": row["enroll_status"],
        "fleet": fleet,
        "lock": row["lock"],
        "wipe": row["wipe"],
        "last_contact": row["last_contact"],
        "position": position,
        "tasks": tasks,
    }


def _failed(task: Row) -> bool:
    return task["status"] in reasons.FAILED


def _silent(session: Session, row: Row, least: timedelta) -> bool:
    """Whether an agent is offline and was not heard of for so long."""
    ago = session.since(row["last_contact"])
    return not row["is_online"] and (ago is None or ago >= least)


def _tasks(session: Session, rows: list[Row]) -> dict[int, list[Row]]:
    """What each agent has to do, and how far it is; of two rows of a task the newer counts."""
    ids = {row["id"] for row in rows}
    one = {"searchText[plugin_flyvemdm_agents_id]": f"^{rows[0]['id']}$"} if len(ids) == 1 else {}
    statuses: dict[tuple[int, int], str] = {}
    for row in session.pages("PluginFlyvemdmTaskstatus", **one):
        if row["plugin_flyvemdm_agents_id"] in ids:
            key = row["plugin_flyvemdm_agents_id"], row["plugin_flyvemdm_tasks_id"]
            statuses[key] = row["status"]
    if not statuses:
        return {}
    symbols = {row["id"]: row["symbol"] for row in session.pages("PluginFlyvemdmPolicy")}
    policies = {
        row["id"]: symbols.get(row["plugin_flyvemdm_policies_id"], "")
        for row in session.pages("PluginFlyvemdmTask")
    }
    found: dict[int, list[Row]] = {}
    for (agent, task), status in statuses.items():
        if task in policies:
            one = {"task": task, "symbol": policies[task], "status": status, "why": None}
            found.setdefault(agent, []).append(one)
    return found


def _places(session: Session, found: list[Agent]) -> dict[int, Any]:
    """Each computer's last position."""
    missing = {agent.row["computers_id"] for agent in found}
    where: dict[int, Any] = {}
    pages = session.pages("PluginFlyvemdmGeolocation", order="DESC")
    for number, row in enumerate(pages, 1):
        if row["computers_id"] in missing:
            where[row["computers_id"]] = agents.place(session, row)
            missing.remove(row["computers_id"])
        if not missing or number >= _POSITIONS:
            break
    return where
