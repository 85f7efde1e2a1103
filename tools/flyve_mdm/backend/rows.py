"""The rows that GLPI's lists show: the bare columns of its database."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flyve_mdm.backend import agents, files
from flyve_mdm.backend.invitation import LANDING
from flyve_mdm.backend.model import ENTITIES, ENTITY, Task, User, timestamp
from flyve_mdm.backend.policies import BY_SYMBOL, POLICIES
from flyve_mdm.backend.site import Site

Row = dict[str, Any]


def _agents(site: Site) -> list[Row]:
    return [agents.columns(site, agent) for agent in site.state.agents.values()]


def _computers(site: Site) -> list[Row]:
    return [
        {
            "id": one.id, "entities_id": one.entity, "name": one.serial, "serial": one.serial,
            "uuid": one.uuid, "is_template": 0, "is_deleted": 0, "is_dynamic": 1,
        }
        for one in site.state.computers.values()
    ]  # fmt: skip


def _fleets(site: Site) -> list[Row]:
    return [
        {
            "id": one.id, "name": one.name, "entities_id": one.entity, "is_recursive": 0,
            "is_default": int(one.is_default),
        }
        for one in site.state.fleets.values()
    ]  # fmt: skip


def _policies(site: Site) -> list[Row]:
    return [
        {"id": one.id, "name": one.symbol, "symbol": one.symbol, "type": one.type}
        for one in POLICIES.values()
    ]


def _tasks(site: Site) -> list[Row]:
    # One with a policy of a test's own has no row: GLPI would not have taken it.
    return [_task(site, one) for one in site.state.tasks.values() if one.symbol in BY_SYMBOL]


def _task(site: Site, task: Task) -> Row:
    if site.options.rules == "A":
        target = {"plugin_flyvemdm_fleets_id": task.fleet_id}
    elif task.agent_id is not None:
        target = {
            "itemtype_applied": "PluginFlyvemdmAgent",
            "items_id_applied": task.agent_id,
        }
    else:
        target = {"itemtype_applied": "PluginFlyvemdmFleet", "items_id_applied": task.fleet_id}
    value = task.value[task.symbol]
    itemtype = None
    if task.symbol == "deployFile":
        itemtype = "PluginFlyvemdmFile"
        kept = {"destination": value, "remove_on_delete": task.remove_on_delete}
        value = json.dumps(kept, separators=(",", ":"))
    elif task.symbol == "deployApp":
        itemtype = "PluginFlyvemdmPackage"
        value = json.dumps({"remove_on_delete": task.remove_on_delete}, separators=(",", ":"))
    elif BY_SYMBOL[task.symbol].type == "bool":
        value = str(int(value == "true"))
    return {
        "id": task.id, **target, "plugin_flyvemdm_policies_id": BY_SYMBOL[task.symbol].id,
        "value": value, "itemtype": itemtype, "items_id": task.item.id if task.item else 0,
    }  # fmt: skip


def _statuses(site: Site) -> list[Row]:
    return [
        {
            "id": one.id, "name": "", "plugin_flyvemdm_agents_id": one.agent_id,
            "plugin_flyvemdm_tasks_id": one.task_id, "status": one.status,
        }
        for one in site.state.statuses.values()
    ]  # fmt: skip


def _invitations(site: Site) -> list[Row]:
    return [
        {
            "id": one.id, "name": "Invitation", "invitation_token": one.token,
            "users_id": one.user_id, "entities_id": ENTITY, "documents_id": 0,
            "status": one.status,
            "expiration_date": timestamp(one.expires) if one.expires else None,
        }
        for one in site.state.invitations.values()
    ]  # fmt: skip


def _invitation_logs(site: Site) -> list[Row]:
    found = [(one.id, *line) for one in site.state.invitations.values() for line in one.log]
    return [
        {
            "id": number, "plugin_flyvemdm_invitations_id": invitation, "date_creation": when,
            "event": event,
        }
        for number, (invitation, when, event) in enumerate(found, 1)
    ]  # fmt: skip


def user(one: User) -> Row:
    """An account; GLPI 9.3 hides the password only."""
    return {
        "id": one.id, "name": one.login, "phone": one.phone, "phone2": one.phone2,
        "realname": one.realname, "firstname": one.firstname, "is_active": 1, "is_deleted": 0,
        "api_token": one.api_token,
    }  # fmt: skip


def _users(site: Site) -> list[Row]:
    rows = [user(one) for one in site.state.users.values()]
    for row in rows if site.options.hides_tokens else ():
        del row["api_token"]
    return rows


def _emails(site: Site) -> list[Row]:
    found = [
        (one.id, place, email)
        for one in site.state.users.values()
        for place, email in enumerate(one.emails)
    ]
    return [
        {"id": number, "users_id": owner, "is_default": int(place == 0), "email": email}
        for number, (owner, place, email) in enumerate(found, 1)
    ]


def _positions(site: Site) -> list[Row]:
    return [
        {
            "id": one.id, "computers_id": one.computer_id, "latitude": one.place["latitude"],
            "longitude": one.place["longitude"], "date": timestamp(one.place["datetime"]),
        }
        for one in site.state.positions.values()
    ]  # fmt: skip


def _messages(site: Site) -> list[Row]:
    rows = []
    for one in site.state.messages.values():
        row: Row = {
            "id": one.id, "date": one.date, "direction": one.direction, "topic": one.topic,
            "message": one.message,
        }  # fmt: skip
        if site.options.rules == "C":
            # Since 2018-09-28 the row names the agent, and the topic only what follows.
            row["topic"] = one.topic.split("/", 3)[-1]
            row |= {"itemtype": "PluginFlyvemdmAgent", "items_id": one.agent_id}
        rows.append(row)
    return rows


def _files(site: Site) -> list[Row]:
    return [files.columns(one, False) for one in site.state.files.values()]


def _packages(site: Site) -> list[Row]:
    return [files.columns(one, True) for one in site.state.packages.values()]


def _entity_configs(site: Site) -> list[Row]:
    common = {"agent_token_life": "P7D", **site.state.helpdesk}
    return [{"id": one, "entities_id": one, **common} for one in ENTITIES]


def _configs(site: Site) -> list[Row]:
    base = "flyve://register" if site.options.deeplink == "register" else LANDING
    values = {"guest_profiles_id": "9", "invitation_deeplink": base}
    return [
        {"id": number, "context": "flyvemdm", "name": name, "value": value}
        for number, (name, value) in enumerate(values.items(), 1)
    ]


def _notifications(site: Site) -> list[Row]:
    mails = [one for one in site.state.invitations.values() if one.mail]
    return [
        {
            "id": one.id, "itemtype": "PluginFlyvemdmInvitation", "items_id": one.id,
            "is_deleted": 0, "name": "You have been invited to join Flyve MDM",
            "body_text": f"Please join the Flyve MDM system:\n{one.mail}\n",
        }
        for one in mails
    ]  # fmt: skip


def _document_types(site: Site) -> list[Row]:
    return [dict(vars(one)) for one in site.state.document_types.values()]


@dataclass(frozen=True)
class Kind:
    """An item type: its right, its rows, and the column by which others refer to it."""

    right: str
    rows: Callable[[Site], list[Row]]
    key: str = ""


KINDS = {
    "PluginFlyvemdmAgent": Kind("flyvemdm:agent", _agents, "plugin_flyvemdm_agents_id"),
    "PluginFlyvemdmFleet": Kind("flyvemdm:fleet", _fleets, "plugin_flyvemdm_fleets_id"),
    "PluginFlyvemdmPolicy": Kind("flyvemdm:policy", _policies),
    "PluginFlyvemdmTask": Kind("flyvemdm:policy", _tasks, "plugin_flyvemdm_tasks_id"),
    "PluginFlyvemdmTaskstatus": Kind("flyvemdm:taskstatus", _statuses),
    "PluginFlyvemdmInvitation": Kind(
        "flyvemdm:invitation", _invitations, "plugin_flyvemdm_invitations_id"
    ),
    "PluginFlyvemdmInvitationlog": Kind("flyvemdm:invitationLog", _invitation_logs),
    "PluginFlyvemdmGeolocation": Kind("flyvemdm:geolocation", _positions),
    "PluginFlyvemdmMqttlog": Kind("flyvemdm:mqttlog", _messages),
    "PluginFlyvemdmFile": Kind("flyvemdm:file", _files),
    "PluginFlyvemdmPackage": Kind("flyvemdm:package", _packages),
    "PluginFlyvemdmEntityConfig": Kind("flyvemdm:entity", _entity_configs),
    "Computer": Kind("computer", _computers, "computers_id"),
    "Config": Kind("config", _configs),
    "DocumentType": Kind("typedoc", _document_types),
    "QueuedNotification": Kind("queuednotification", _notifications),
    "User": Kind("user", _users, "users_id"),
    "UserEmail": Kind("user", _emails),
}
