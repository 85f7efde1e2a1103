"""POST User, POST and PUT PluginFlyvemdmInvitation: whom an administrator invites."""

from __future__ import annotations

from typing import Any

from flyve_mdm.backend.glpi import GlpiError
from flyve_mdm.backend.invitation import invite
from flyve_mdm.backend.model import GUEST, Invitation, User, token
from flyve_mdm.backend.site import Site


def _refuse(message: str) -> GlpiError:
    return GlpiError(400, "ERROR_GLPI_ADD", message)


def add_user(site: Site, fields: dict[str, Any]) -> User:
    """Make an account; raises GlpiError."""
    name = str(fields.get("name") or "")
    with site.state.changed:
        if not name or any(one.login == name for one in site.state.users.values()):
            raise _refuse("Unable to add. The user already exists.")
        emails = fields.get("_useremails") or []
        return site.state.add(
            "users", User, login=name,
            emails=[str(one) for one in (emails.values() if isinstance(emails, dict) else emails)],
            api_token=token(40), profiles=[GUEST], firstname=str(fields.get("firstname") or ""),
            realname=str(fields.get("realname") or ""),
        )  # fmt: skip


def add_invitation(site: Site, fields: dict[str, Any]) -> Invitation:
    """Invite a person: C by the account's id, A and B by an e-mail address."""
    with site.state.changed:
        if site.options.rules == "C":
            email = _email_of(site, fields.get("users_id"))
        else:
            email = str(fields.get("_useremails") or "")
            if "@" not in email:
                raise _refuse("Email address is invalid")
        invite(site, email, *site.state.helpdesk.values())
        return list(site.state.invitations.values())[-1]


def _email_of(site: Site, number: Any) -> str:
    if not str(number or "").isdigit():
        raise _refuse("Invalid data")
    user = site.state.users.get(int(number))
    if user is None:
        raise _refuse("The user was deleted. You must restore him first.")
    if not user.emails:
        raise _refuse("Email address is invalid")
    return user.emails[0]


def change_helpdesk(site: Site, fields: dict[str, Any]) -> None:
    """What the entity's configuration says of its help desk."""
    for name in site.state.helpdesk.keys() & fields.keys():
        site.state.helpdesk[name] = str(fields[name])
