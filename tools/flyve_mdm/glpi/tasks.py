"""Tasks of devices and fleets: policies, and what becomes of them."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass

from flyve_mdm.glpi import agents
from flyve_mdm.glpi.agents import AGENT, Agent
from flyve_mdm.glpi.errors import Failed, GlpiError, Refused
from flyve_mdm.glpi.fleets import FLEET, Fleet
from flyve_mdm.glpi.session import Row, Session
from flyve_mdm.patience import stretched

FINAL = ("done", "failed", "canceled", "incompatible", "overriden")
_TASK = "PluginFlyvemdmTask"
_STATUS = "PluginFlyvemdmTaskstatus"
_POLL = 0.5
# Those that have a command of their own.
_DEPLOYMENTS = {
    "deployFile": "deploy-file", "removeFile": "remove-file",
    "deployApp": "deploy-app", "removeApp": "remove-app",
}  # fmt: skip
Target = Agent | Fleet


@dataclass
class Outcome:
    """A task and the last that GLPI knows of it; of a fleet how many devices are at what."""

    task: int
    status: str
    done: bool
    final: bool


def policy(session: Session, target: Target, symbol: str, value: str, wait: float) -> Outcome:
    """Give a plain policy a value; where it has one already, another."""
    if symbol in _DEPLOYMENTS:
        raise GlpiError(f"{symbol}: use `flyve admin {_DEPLOYMENTS[symbol]}`")
    row = _policy(session, symbol)
    if row["type"] == "bool" and value not in ("0", "1"):
        raise GlpiError(f"{symbol} is 0 or 1, not {value}")
    if row["type"] == "int" and not value.isdecimal():
        raise GlpiError(f"{symbol} is a whole number, not {value}")
    fields = _target(session, target)
    same = session.search(_TASK, plugin_flyvemdm_policies_id=row["id"])
    there = [one["id"] for one in same if _given(one, fields)]
    try:
        for task in there:
            session.update(_TASK, task, symbol, value=value)
        task = there[0] if there else assign(session, target, symbol, value)
    except Refused as refused:
        if refused.message not in ("", "Incorrect value for this policy"):
            raise
        raise GlpiError(f"GLPI refuses {value} for {symbol}: see its policy there") from None
    return finish(session, target, task, wait)


def listed(session: Session, target: Target) -> list[Row]:
    """The tasks of a device, those of its fleet among them, or of a fleet; and how far each is."""
    symbols = {row["id"]: row["symbol"] for row in session.pages("PluginFlyvemdmPolicy")}
    rows = list(session.pages(_TASK))
    if isinstance(target, Fleet):
        rows = [row for row in rows if _given(row, _target(session, target))]
        states = {row["id"]: _outcome(session, target, row["id"]).status for row in rows}
    else:
        mine = session.pages(f"{AGENT}/{target.id}/{_STATUS}")
        states = {row["plugin_flyvemdm_tasks_id"]: row["status"] for row in mine}
    return [
        {
            "task": row["id"],
            "policy": symbols.get(row["plugin_flyvemdm_policies_id"], ""),
            "value": _brought(session, row),
            "of": "device" if row.get("itemtype_applied") == AGENT else "fleet",
            "status": states[row["id"]],
        }
        for row in rows
        if row["id"] in states
    ]


def _brought(session: Session, row: Row) -> str:
    """What a task brings: a file's path, an application's name, a policy's value."""
    if row["itemtype"] not in ("PluginFlyvemdmFile", "PluginFlyvemdmPackage"):
        return str(row["value"])
    item = session.item(row["itemtype"], row["items_id"]) or {}
    if row["itemtype"] == "PluginFlyvemdmPackage":
        return str(item.get("package_name", ""))
    try:
        folder = str(json.loads(row["value"])["destination"])
    except (ValueError, TypeError, KeyError):
        return str(row["value"])
    return f"{folder.rstrip('/')}/{item.get('name', '')}"


def remove(session: Session, task: int) -> None:
    """Take a task back, and with it the file or the application that it has brought."""
    if session.item(_TASK, task) is None:
        raise GlpiError(f"there is no task {task}: list them with `flyve admin tasks`")
    try:
        session.delete(_TASK, task, f"the removal of task {task}")
    except Failed:
        # Version 2.0.0 of the plugin fails after the removal of one whose file shall stay.
        if session.item(_TASK, task) is not None:
            raise


def _policy(session: Session, symbol: str) -> Row:
    rows = session.search("PluginFlyvemdmPolicy", symbol=symbol)
    if not rows:
        raise GlpiError(f"GLPI has no policy {symbol}, or you may not see it")
    return rows[0]


def _given(row: Row, fields: Row) -> bool:
    """Whether a task was given to the very target that these fields name."""
    return all(row.get(name, value) == value for name, value in fields.items())


def assign(
    session: Session, target: Target, symbol: str, value: object, itemtype: str = "",
    number: int = 0,
) -> int:  # fmt: skip
    """Make a task; returns its id."""
    row = _policy(session, symbol)
    fields: Row = {**_target(session, target), "plugin_flyvemdm_policies_id": row["id"]}
    fields["value"] = value
    if itemtype:
        fields |= {"itemtype": itemtype, "items_id": number}
    return session.create(_TASK, symbol, **fields)


def _target(session: Session, target: Target) -> Row:
    if isinstance(target, Fleet):
        # The first generation knows the last of these, the others the first two.
        return {
            "itemtype_applied": FLEET,
            "items_id_applied": target.id,
            "plugin_flyvemdm_fleets_id": target.id,
        }
    if target.generation != "A":
        return {"itemtype_applied": AGENT, "items_id_applied": target.id}
    # The first generation knows tasks of fleets only, and none of the default one.
    number = target.row["plugin_flyvemdm_fleets_id"]
    fleet = session.get(f"{FLEET}/{number}")
    if fleet["is_default"]:
        agents.fleet(session, target, f"fleet of {target.serial}")
        target.row = agents.read(session, target.id) or target.row
        return {"plugin_flyvemdm_fleets_id": target.row["plugin_flyvemdm_fleets_id"]}
    others = len(session.search(AGENT, plugin_flyvemdm_fleets_id=number)) - 1
    if others > 0:
        raise GlpiError(
            f"this version of the plugin has tasks of fleets only, and {others} other devices are "
            f"in {fleet['name']}: name fleet:{fleet['name']}, or move this one with `flyve admin "
            "fleet` first"
        )
    return {"plugin_flyvemdm_fleets_id": number}


def finish(session: Session, target: Target, task: int, wait: float) -> Outcome:
    """Wait for an end of a task; GLPI tells it by its statuses only."""
    until = time.monotonic() + stretched(wait)
    while True:
        found = _outcome(session, target, task)
        if found.final or time.monotonic() >= until:
            return found
        time.sleep(_POLL)


def _outcome(session: Session, target: Target, task: int) -> Outcome:
    rows = list(session.pages(f"{_TASK}/{task}/{_STATUS}"))
    if isinstance(target, Agent):
        rows = [row for row in rows if row["plugin_flyvemdm_agents_id"] == target.id]
    if len({row["plugin_flyvemdm_agents_id"] for row in rows}) < len(rows):
        raise GlpiError(
            f"task {task}: GLPI has two statuses of it and so stores no other (a fault of the "
            f"plugin): take it back with `flyve admin remove-task {task}`, and deploy again"
        )
    count = Counter(row["status"] for row in rows)
    if isinstance(target, Agent):
        status = rows[0]["status"] if rows else "pending"
    else:
        status = ", ".join(f"{n} {name}" for name, n in count.items()) or "no device is in it yet"
    final = all(name in FINAL for name in count) and (bool(rows) or isinstance(target, Fleet))
    return Outcome(task, status, final and set(count) <= {"done"}, final)
