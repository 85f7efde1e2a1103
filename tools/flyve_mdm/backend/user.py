"""PUT User/:id: names, telephones and e-mail addresses."""

from __future__ import annotations

from flyve_mdm.backend.glpi import DENIED, Answer, Call, GlpiError
from flyve_mdm.backend.model import DEVICE, GUEST, Session
from flyve_mdm.backend.site import Site

_COLUMNS = ("firstname", "realname", "phone", "phone2")


def update(site: Site, session: Session, call: Call) -> Answer:
    """Update an account; neither guests nor agents may, unless the account's `may_update`."""
    with site.state.changed:
        user = site.state.users.get(call.item_id)
        if user is None:
            raise GlpiError(404, "ERROR_ITEM_NOT_FOUND", "Item not found")
        if call.method not in ("PUT", "PATCH"):
            raise GlpiError(401, "ERROR_RIGHT_MISSING", DENIED)
        fields = call.input()
        if session.profile in (GUEST, DEVICE, 1) and not session.user.may_update:
            site.events.add("user update refused", login=user.login)
            raise GlpiError(400, "ERROR_GLPI_UPDATE", DENIED)
        for name in _COLUMNS:
            if name in fields:
                setattr(user, name, str(fields[name]))
        emails = fields.get("_useremails")
        if isinstance(emails, dict):
            # Keys are rows: an existing one is replaced, any other is added.
            for key, address in emails.items():
                row = int(key) if key.isdigit() else -1
                if 0 <= row < len(user.emails):
                    user.emails[row] = str(address)
                elif address not in user.emails:
                    user.emails.append(str(address))
            chosen = emails.get(str(fields.get("_default_email")))
            if chosen in user.emails:
                user.emails.sort(key=lambda address: address != chosen)
        site.events.add("user updated", login=user.login)
    return Answer.of([{str(user.id): True, "message": ""}])
