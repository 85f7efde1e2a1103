"""What each profile may do, as GLPI's bits."""

from __future__ import annotations

from flyve_mdm.backend.glpi import DENIED, GlpiError
from flyve_mdm.backend.model import DEVICE, GUEST, SELF_SERVICE, SUPER_ADMIN, Session
from flyve_mdm.backend.site import Site

READ, UPDATE, CREATE, DELETE, PURGE = 1, 2, 4, 8, 16
_ALL = READ | UPDATE | CREATE | DELETE | PURGE
# What the plugin's installer gives to the profile of who installed it, and GLPI to Super-Admin.
_ADMINISTRATOR = {
    "flyvemdm:agent": READ | UPDATE | PURGE,
    "flyvemdm:fleet": _ALL,
    "flyvemdm:package": _ALL,
    "flyvemdm:file": _ALL,
    "flyvemdm:geolocation": _ALL,
    "flyvemdm:invitation": _ALL,
    "flyvemdm:wellknownpath": _ALL,
    "flyvemdm:policy": READ,
    "flyvemdm:taskstatus": READ,
    "flyvemdm:invitationLog": READ,
    "flyvemdm:mqttlog": READ,
    "flyvemdm:entity": READ | UPDATE,
    "computer": _ALL,
    "user": _ALL,
    "config": READ | UPDATE,
    "typedoc": _ALL,
    "queuednotification": READ,
}
_RIGHTS = {
    SUPER_ADMIN: _ADMINISTRATOR,
    GUEST: {
        "flyvemdm:agent": READ | CREATE,
        "flyvemdm:file": READ,
        "flyvemdm:package": READ,
    },
    DEVICE: {
        "flyvemdm:agent": READ | UPDATE | DELETE,
        "flyvemdm:file": READ,
        "flyvemdm:package": READ,
        "flyvemdm:entity": READ,
        "flyvemdm:geolocation": CREATE,
        "flyvemdm:taskstatus": READ | UPDATE,
    },
    SELF_SERVICE: {},
}
_CODES = {CREATE: "ERROR_GLPI_ADD", UPDATE: "ERROR_GLPI_UPDATE", PURGE: "ERROR_GLPI_DELETE"}


def of(site: Site, session: Session) -> dict[str, int]:
    """All rights of a session's profile."""
    given = _RIGHTS[session.profile]
    if session.profile == SUPER_ADMIN:
        given = {**given, **site.options.rights}
    return given


def need(site: Site, session: Session, name: str, bit: int) -> None:
    """Raise GlpiError without this right; where GLPI looks for none, the name is empty."""
    if name and not of(site, session).get(name, 0) & bit:
        if bit == READ:
            raise GlpiError(401, "ERROR_RIGHT_MISSING", DENIED)
        raise GlpiError(400, _CODES[bit], DENIED)
