"""Invitations and the forms of their deeplink."""

from __future__ import annotations

import base64
import secrets
import time

from flyve_mdm.backend.model import GUEST, Invitation, User, token
from flyve_mdm.backend.site import Site
from flyve_mdm.text import php

LANDING = "http://flyve.org/deeplink/"
_JSON_KEYS = (
    "url", "user_token", "invitation_token", "support_name", "support_phone",
    "support_website", "support_email",
)  # fmt: skip


def invite(
    site: Site,
    email: str,
    name: str = "Help desk",
    phone: str = "+33 1 23 45 67 89",
    website: str = "https://support.example.org",
    support_email: str = "support@example.org",
    firstname: str | None = None,
    realname: str | None = None,
) -> str:
    """Invite a person, whose account is made when missing; returns the deeplink, whose form
    `options.deeplink` chooses."""
    state = site.state
    with state.changed:
        user = next((u for u in state.users.values() if email in u.emails), None)
        if user is None:
            user = state.add(
                "users", User, login=email, emails=[email], api_token=token(40), profiles=[GUEST]
            )
        user.firstname = user.firstname if firstname is None else firstname
        user.realname = user.realname if realname is None else realname
        invitation = state.add(
            "invitations",
            Invitation,
            user_id=user.id,
            token=secrets.token_hex(32),
            expires=time.time() + site.options.invitation_life,
        )
    site.events.add("invited", email=email, invitation=invitation.id)
    fields = [user.api_token, invitation.token, name, phone, website, support_email]
    link = deeplink(site.url, fields, site.options.deeplink, site.options.documented)
    if site.options.notifications:
        invitation.mail = link
    return link


def deeplink(url: str, fields: list[str], form: str, documented: bool = False) -> str:
    """Write a deeplink in one of its historical forms."""
    if documented or form == "path":
        text = ";".join([url.rstrip("/") + "/", *fields])
        host = url.split("/")[2]
        return f"{url.split(':')[0]}://{host}/{_base64(text)}"
    if form == "json":
        values = [url.rstrip("/"), *fields]
        return LANDING + "?data=" + _base64(php(dict(zip(_JSON_KEYS, values, strict=True))))
    # The real code escapes the whole text, its own separators included.
    text = ";".join([url.rstrip("/"), *fields])
    data = _base64(text.replace("\\", "\\\\").replace(";", "\\;"))
    return f"flyve://register?data={data}" if form == "register" else f"{LANDING}?data={data}"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
