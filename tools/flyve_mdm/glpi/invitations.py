"""Inviting a person, and the deeplink of the invitation."""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Mapping

from flyve_mdm.glpi.errors import GlpiError, Refused
from flyve_mdm.glpi.session import Row, Session

_INVITATION = "PluginFlyvemdmInvitation"
_LANDING = "http://flyve.org/deeplink/"  # unless GLPI's configuration has another
_LINK = re.compile(r"(?:https?|flyve)://[^\s\"'<>]+")
_BETWEEN = re.compile(r"[\s<>,;$#]+")
_HELPDESK = ("support_name", "support_phone", "support_website", "support_email")


def invite(
    session: Session, email: str, helpdesk: Mapping[str, str], person: Mapping[str, str]
) -> str:
    """Invite a person to enroll a device; returns the deeplink. helpdesk: what the link says
    instead of what the entity's configuration does; person: names in GLPI."""
    user = _user(session, email, person)
    # The first two generations know the address only, the third one the account only.
    fields = {"users_id": user, "_useremails": email}
    number = session.create(_INVITATION, f"the invitation of {email}", **fields)
    row = session.get(f"{_INVITATION}/{number}", "the invitation")
    link = None if helpdesk else _mailed(session, number)
    return link or _built(session, row, helpdesk)


def listed(session: Session) -> list[Row]:
    """All invitations: for whom, what became of them, and why an enrollment by them failed."""
    rows = list(session.pages(_INVITATION))
    if not rows:
        return []
    people = session.some("User", {row["users_id"] for row in rows})
    why = {}
    try:
        for line in session.pages("PluginFlyvemdmInvitationlog"):
            why[line["plugin_flyvemdm_invitations_id"]] = line["event"]
    except Refused as refused:
        if not refused.denied:
            raise
    return [
        {
            "id": row["id"],
            "user": str(people.get(row["users_id"], {"name": ""})["name"]),
            "status": row["status"],
            "expires": row["expiration_date"],
            "why": why.get(row["id"]),
        }
        for row in rows
    ]


def _user(session: Session, email: str, person: Mapping[str, str]) -> int:
    """The account with this address, made when missing."""
    rows = session.search("User", name=email)
    number = rows[0]["id"] if rows else _by_address(session, email)
    if number is None:
        fields = {"name": email, "_useremails": [email], "authtype": 1, **person}
        with contextlib.suppress(GlpiError, KeyError):
            # Else it gets GLPI's default profile, besides the guest's.
            full = session.full()
            guest, entity = full["plugin_flyvemdm_guest_profiles_id"], full["glpiactive_entity"]
            if guest:  # the plugin is configured
                fields |= {"_profiles_id": guest, "_entities_id": entity}
        return session.create("User", f"an account for {email}", **fields)
    if person:
        session.update("User", number, f"the names of {email}", **person)
    return number


def _by_address(session: Session, email: str) -> int | None:
    criterion = {"field": 5, "searchtype": "contains", "value": email}
    asked = {f"criteria[0][{name}]": value for name, value in criterion.items()}
    asked |= {"forcedisplay[0]": 2, "forcedisplay[1]": 5, "range": "0-49"}
    rows = session.get("search/User", f"a search for {email}", **asked).get("data", [])
    for row in rows:
        # An account of several addresses has them in a list, or in one text.
        told = row["5"] if isinstance(row["5"], list) else [row["5"]]
        addresses = _BETWEEN.split(" ".join(map(str, told)).casefold())
        if email.casefold() in addresses:
            return row["2"]
    return None


def _mailed(session: Session, number: int) -> str | None:
    """The link as GLPI has written it into its mail; None: it sends none, or does not show it."""
    asked = {"searchText[itemtype]": f"^{_INVITATION}$", "searchText[items_id]": f"^{number}$"}
    try:
        rows = session.newest("QueuedNotification", **asked)
    except Refused:
        return None
    links = _LINK.findall(str(rows[0]["body_text"])) if rows else []
    return max(links, key=len, default=None)


def _built(session: Session, row: Row, helpdesk: Mapping[str, str]) -> str:
    """The link, made of what it says: as the plugin does."""
    token = session.get(f"User/{row['users_id']}", "the account's token").get("api_token")
    if not token:
        raise GlpiError(
            f"invitation {row['id']} was made, and mailed if GLPI sends mails; but this GLPI "
            "shows a REST client neither the mail nor the account's token: take it from the mail"
        )
    base = session.get("getGlpiConfig")["cfg_glpi"]["url_base_api"]
    config = {**_helpdesk(session, row["entities_id"]), **helpdesk}
    fields = [str(base).rstrip("/"), token, row["invitation_token"]]
    fields += [str(config.get(name) or "") for name in _HELPDESK]
    # It escapes the whole text, its own separators included.
    text = ";".join(fields).replace("\\", "\\\\").replace(";", "\\;")
    return f"{_landing(session)}?data={base64.b64encode(text.encode()).decode()}"


def _helpdesk(session: Session, entity: int) -> Row:
    try:
        return session.get(f"PluginFlyvemdmEntityConfig/{entity}")
    except Refused:
        return {}  # nobody has configured it, or it is not for us: the link works without


def _landing(session: Session) -> str:
    try:
        rows = session.search("Config", context="flyvemdm", name="invitation_deeplink")
    except Refused:
        return _LANDING
    return str(rows[0]["value"]) if rows else _LANDING
