"""POST PluginFlyvemdmAgent: who may enroll, with what, and what it leaves behind."""

from __future__ import annotations

import re
import time
from typing import Any

from flyve_mdm.backend import membership
from flyve_mdm.backend.broker import BACKEND_USER
from flyve_mdm.backend.glpi import GlpiError, Refused
from flyve_mdm.backend.inventory import Inventory, parse
from flyve_mdm.backend.model import (
    DEVICE,
    ENTITY,
    Agent,
    Computer,
    Invitation,
    Session,
    User,
    timestamp,
    token,
)
from flyve_mdm.backend.site import Site

_MINIMUM = {"android": (2, 0), "apple": (1, 0)}
_BLACKLIST = {
    "0", "1", "123456789", "0123456789", "1234567890", "n/a", "none", "empty", "unknow", "unknown",
    "not available", "not specified", "system serial number", "to be filled by o.e.m.",
}  # fmt: skip


def enroll(site: Site, session: Session, fields: dict[str, Any]) -> Agent:
    """Enroll a device; raises GlpiError, by default without the real reason."""
    invitation: Invitation | None = None
    try:
        with site.state.changed:
            invitation = _find_invitation(site, fields)
            device = _validate(site, fields, invitation)
            user = _consume(site, session, fields, invitation)
            agent = _create(site, fields, invitation, device, user)
    except Refused as reason:
        if invitation is not None:
            invitation.log.append((timestamp(), str(reason)))
        site.events.add("agent refused", reason=str(reason))
        shown = site.options.debug or site.options.documented
        message = str(reason) if shown else "Enrollment failed"
        raise GlpiError(400, "ERROR_GLPI_ADD", message) from None
    site.events.add("agent created", agent=agent.id, serial=agent.serial, name=agent.name)
    return agent


def _find_invitation(site: Site, fields: dict[str, Any]) -> Invitation:
    options, state = site.options, site.state
    if options.refuse_post:
        raise Refused(options.refuse_post)
    if options.max_devices is not None and len(state.agents) >= options.max_devices:
        raise Refused("Too many devices")
    if not fields.get("_email") or not fields.get("_invitation_token"):
        raise Refused("Unable to find a enrollment method")
    for invitation in state.invitations.values():
        if invitation.token == fields["_invitation_token"]:
            return invitation
    raise Refused("Invitation token invalid")


def _validate(site: Site, fields: dict[str, Any], invitation: Invitation) -> Inventory:
    rules, develop = site.options.rules, site.options.develop
    if rules == "C":
        _check_notification(fields, site.options.fcm)
    serial, uuid = str(fields.get("_serial") or ""), str(fields.get("_uuid") or "")
    if not (develop or serial or uuid):
        raise Refused("One of serial and uuid is mandatory")
    if rules == "A":
        # Before 2017-12-14 the fields alone say which device it is.
        device = Inventory(
            serial or uuid, serial or uuid, uuid, f"invitation_{invitation.token}", ""
        )
    elif not fields.get("inventory"):
        raise Refused("Device inventory XML is mandatory")
    else:
        device = parse(fields["inventory"])
    _check_version(fields, old=site.options.documented)
    if invitation.status != "pending":
        raise Refused("Invitation is not pending")
    if invitation.expires is None:
        raise Refused("Expiration date of the invitation is not set")
    if invitation.expires < time.time():
        raise Refused("Invitation token expired")
    user = site.state.users[invitation.user_id]
    if str(fields["_email"]) not in user.emails:
        raise Refused("wrong email address" if site.options.documented else "Wrong email address")
    return device


def _check_notification(fields: dict[str, Any], fcm: bool) -> None:
    kind = fields.get("notification_type")
    if kind == "fcm" and not fcm:
        raise Refused("fcm service is not available")
    if kind == "fcm" and not fields.get("notification_token"):
        raise Refused("Notification token is missing")
    if kind not in ("mqtt", "fcm"):
        raise Refused("Notification settings are invalid")


def _check_version(fields: dict[str, Any], old: bool) -> None:
    version, kind = fields.get("version"), fields.get("type")
    if not version:
        raise Refused("Agent version missing")
    if not kind:
        raise Refused("MDM type missing")
    if kind not in _MINIMUM:
        raise Refused("unknown MDM type")
    if not re.search(r"\d+\.\d+\.\d+", str(version)):
        raise Refused("Bad agent version")
    # The search is not anchored but the comparison is: "v2.0.0" compares as lower than any number.
    number = re.match(r"(\d+)\.(\d+)", str(version))
    if not old and (number is None or (int(number[1]), int(number[2])) < _MINIMUM[kind]):
        raise Refused("The agent version is too low")


def _consume(site: Site, session: Session, fields: dict[str, Any], invitation: Invitation) -> User:
    # From here on a retry needs a new invitation, whatever happens to the device.
    invitation.status, invitation.expires = "done", None
    user = site.state.users[invitation.user_id]
    # The real backend blanks names that are not sent.
    user.firstname = str(fields.get("firstname") or "")
    user.realname = str(fields.get("lastname") or "")
    return user


def _create(
    site: Site,
    fields: dict[str, Any],
    invitation: Invitation,
    device: Inventory,
    owner: User,
) -> Agent:
    state = site.state
    if not device.device_id:
        raise Refused("Cannot get the FusionInventory agent")
    serial = device.serial
    banned = serial.lower() in _BLACKLIST or re.fullmatch("0+|12345\\d*", serial)
    # The serial becomes a topic level and the login: neither a wildcard nor the backend's own.
    unfit = re.search(r"[/+#:\x00-\x1f]", serial) or serial == BACKEND_USER
    if not serial or banned or unfit:
        raise Refused("Cannot create the device")
    entity = ENTITY if device.tag == f"invitation_{invitation.token}" else 0
    computer = _computer(site, device, serial, entity)
    for old in [a for a in state.agents.values() if a.computer_id == computer.id]:
        membership.purge(site, old)
    agent = state.add(
        "agents",
        Agent,
        name=str(fields["_email"]),
        version=str(fields["version"]),
        computer_id=computer.id,
        user_id=0,
        owner_id=owner.id,
        entity=entity,
        serial=serial,
        topic=f"{site.slash}{entity}/agent/{serial}",
        fleet_id=state.default_fleet.id,
        mdm_type=str(fields["type"]),
        has_system_permission=int(bool(fields.get("has_system_permission"))),
        notification_type=str(fields.get("notification_type") or "mqtt"),
        notification_token=str(fields.get("notification_token") or ""),
    )
    account = state.add(
        "users",
        User,
        login=f"flyvemdm-agent-{agent.id}",
        emails=[],
        api_token=token(40),
        profiles=[DEVICE],
        agent_id=agent.id,
    )
    agent.user_id = account.id
    membership.welcome(site, agent)
    return agent


def _computer(site: Site, device: Inventory, serial: str, entity: int) -> Computer:
    state = site.state
    for computer in state.computers.values():
        if computer.device_id == device.device_id:
            computer.serial, computer.uuid, computer.entity = serial, device.uuid, entity
            break
    else:
        computer = state.add(
            "computers",
            Computer,
            device_id=device.device_id,
            serial=serial,
            uuid=device.uuid,
            entity=entity,
        )
    if device.xml:
        computer.inventory = device.xml
        computer.inventories += 1
    return computer
