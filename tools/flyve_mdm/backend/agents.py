"""GET and PUT PluginFlyvemdmAgent: settings, credentials, answers by REST."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from typing import Any

from flyve_mdm.backend.glpi import DENIED, JSON_TYPE, Answer, GlpiError, Refused
from flyve_mdm.backend.inventory import parse
from flyve_mdm.backend.membership import rights
from flyve_mdm.backend.model import DEVICE, GUEST, Agent, Session, timestamp, token
from flyve_mdm.backend.site import Site

_SECRET_FIELDS = ("topic", "mqttpasswd", "broker", "port", "tls")


def _find(site: Site, session: Session, agent_id: int) -> Agent:
    agent = site.state.agents.get(agent_id)
    if agent is None:
        raise GlpiError(404, "ERROR_ITEM_NOT_FOUND", "Item not found")
    own = session.user.agent_id == agent.id if session.profile == DEVICE else False
    mine = session.profile == GUEST and agent.owner_id == session.user.id
    if not (own or mine or session.profile not in (DEVICE, GUEST, 1)):
        raise GlpiError(401, "ERROR_RIGHT_MISSING", DENIED)
    return agent


def read(site: Site, session: Session, agent_id: int) -> Answer:
    """GET: with a guest session also the credentials, new ones at every call."""
    with site.state.changed:
        agent = _find(site, session, agent_id)
        guest = session.profile == GUEST
        if guest:
            agent.mqttpasswd = token(32)
        fields = _fields(site, agent)
        if session.profile not in (GUEST, DEVICE):
            fields.pop("api_token")
        if not guest:
            for name in _SECRET_FIELDS:
                fields.pop(name)
        password, generation = agent.mqttpasswd, site.options.rules
    if guest:
        # Resets the rights, so a fleet's are lost too.
        site.broker.set_user(agent.serial, password, rights(agent, generation))
        site.events.add("credentials given", agent=agent.id, topic=agent.topic)
    if site.options.documented:
        return Answer(200, _documented_sample(fields), {"Content-Type": JSON_TYPE})
    return Answer.of(fields)


def columns(site: Site, agent: Agent) -> dict[str, Any]:
    """An agent's row in the database."""
    fields = {
        "id": agent.id,
        "name": agent.name,
        "version": agent.version,
        "computers_id": agent.computer_id,
        "users_id": agent.user_id,
        "wipe": agent.wipe,
        "lock": agent.lock,
        "enroll_status": agent.enroll_status,
        "entities_id": agent.entity,
        "plugin_flyvemdm_fleets_id": agent.fleet_id,
        "last_report": agent.last_report,
        "last_contact": agent.last_contact,
        "is_online": agent.is_online,
        "certificate": "",
        "mdm_type": agent.mdm_type,
        "has_system_permission": agent.has_system_permission,
        "notification_type": agent.notification_type,
        "notification_token": agent.notification_token,
    }
    newer = {"A": 4, "B": 2, "C": 0}[site.options.rules]
    # What generation A (then B) did not have yet, newest first.
    names = ("notification_type", "notification_token", "has_system_permission", "mdm_type")
    for name in names[:newer]:
        fields.pop(name)
    return fields


def _fields(site: Site, agent: Agent) -> dict[str, Any]:
    options = site.options
    tls = site.tls if options.broker_tls is None else options.broker_tls
    links = [
        ("Computer", agent.computer_id),
        ("Entity", agent.entity),
        ("PluginFlyvemdmFleet", agent.fleet_id),
    ]
    fields = {
        **columns(site, agent),
        "topic": agent.topic,
        "mqttpasswd": agent.mqttpasswd,
        "api_token": site.state.users[agent.user_id].api_token,
        "broker": site.name if options.broker is None else options.broker,
        "port": str(options.broker_port or site.broker.port),
        "tls": str(int(tls)),
        "android_bugcollecctor_url": "",
        "android_bugcollector_login": "",
        "android_bugcollector_passwd": "",
        "links": [
            {"rel": name, "href": f"{site.url.rstrip('/')}/{name}/{number}"}
            for name, number in links
        ],
    }
    if options.documented:
        for name in ("users_id", "is_online"):
            fields.pop(name)
    return fields


def _documented_sample(fields: dict[str, Any]) -> bytes:
    fields = (
        {**fields, "port": int(fields["port"]), "tls": int(fields["tls"])}
        if ("port" in fields)
        else fields
    )
    text = json.dumps(fields, indent=2, ensure_ascii=False)
    # The sample misses the comma behind api_token.
    lines = [
        line.rstrip(",") if line.startswith('  "api_token"') else line for line in text.split("\n")
    ]
    return "\n".join(lines).encode()


def update(site: Site, session: Session, agent_id: int, fields: dict[str, Any]) -> Answer:
    """PUT by the agent itself: is_online, _pong and _inventory; each sets last_contact."""
    with site.state.changed:
        agent = _find(site, session, agent_id)
        if session.profile != DEVICE or site.options.rules != "C":
            raise GlpiError(400, "ERROR_GLPI_UPDATE", DENIED)
        contact(site, agent)
        if fields.get("is_online") is False or fields.get("is_online") == "":
            # GLPI's API makes "" of false.
            raise GlpiError(400, "ERROR_GLPI_UPDATE", "Invalid status value")
        if "is_online" in fields:
            set_online(site, agent, bool(fields["is_online"]) and fields["is_online"] != "0")
        if "_pong" in fields:
            agent.pongs += 1
            site.events.add("pong", agent=agent.id, by="rest")
        if "_inventory" in fields:
            try:
                device = parse(fields["_inventory"])
            except Refused as reason:
                raise GlpiError(400, "ERROR_GLPI_UPDATE", str(reason)) from None
            store_inventory(site, agent, device.xml)
    return Answer.of([{str(agent_id): True, "message": ""}])


def contact(site: Site, agent: Agent) -> None:
    """Note that the agent was heard of."""
    with site.state.changed:
        agent.last_contact = timestamp()
        site.state.changed.notify_all()


def set_online(site: Site, agent: Agent, online: bool) -> None:
    """Note the agent's presence."""
    with site.state.changed:
        agent.is_online = int(online)
        site.events.add("online" if online else "offline", agent=agent.id, topic=agent.topic)


def store_inventory(site: Site, agent: Agent, xml: str) -> bool:
    """Import an inventory (raw XML); False when it is not well formed."""
    try:
        ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        site.events.add("ignored", agent=agent.id, reason="inventory is not well formed")
        return False
    with site.state.changed:
        computer = site.state.computers[agent.computer_id]
        computer.inventory = xml
        computer.inventories += 1
        agent.last_report = timestamp()
        site.events.add("inventory", agent=agent.id, bytes=len(xml))
    return True
