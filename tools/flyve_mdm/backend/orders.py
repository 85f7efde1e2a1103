"""PUT and DELETE PluginFlyvemdmAgent by an administrator: commands, a fleet, the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flyve_mdm.backend.administration import Administration
from flyve_mdm.backend.glpi import GlpiError
from flyve_mdm.backend.model import Agent
from flyve_mdm.backend.site import Site


def update(site: Site, admin: Administration, agent: Agent, fields: Mapping[str, Any]) -> str:
    """Do what the fields, texts as PHP makes of them, say; returns GLPI's message."""
    if fields.get("plugin_flyvemdm_fleets_id") is not None:
        _move(site, admin, agent, fields["plugin_flyvemdm_fleets_id"])
    # Any text but "0" is a yes, so also the empty one that the API makes of false.
    if fields.get("wipe") is not None:
        wiped, agent.wipe = agent.wipe, int(fields["wipe"] != "0")
        if agent.wipe and not wiped:
            admin.wipe(agent)
    lock = fields.get("lock")
    # While a wipe is set, no lock is obeyed, and nobody is told.
    if lock is not None and not agent.wipe and agent.lock != int(lock != "0"):
        admin.lock(agent, unlock=lock == "0")
    if _asked(site, fields, "unenroll") and agent.enroll_status != "unenrolling":
        admin.unenroll(agent, 0)
    for name, ask in (("ping", _ping), ("geolocate", _geolocate), ("inventory", _inventory)):
        if _asked(site, fields, name):
            return ask(admin, agent, site.options.answer_wait)
    return ""


def _asked(site: Site, fields: Mapping[str, Any], name: str) -> bool:
    """Since 2018-11-29 a command's field has another name."""
    key = f"_{name}_request" if site.options.rules == "C" else f"_{name}"
    return fields.get(key) is not None


def _move(site: Site, admin: Administration, agent: Agent, number: str) -> None:
    fleet = site.state.fleets.get(int(number)) if number.isdigit() else None
    if fleet is None:
        raise GlpiError(400, "ERROR_GLPI_UPDATE", "The target fleet does not exists")
    admin.move(agent, fleet)


def _ping(admin: Administration, agent: Agent, wait: float) -> str:
    if not admin.ping(agent, wait):
        raise GlpiError(400, "ERROR_GLPI_UPDATE", "Timeout querying the device")
    return "The device answered"


def _geolocate(admin: Administration, agent: Agent, wait: float) -> str:
    position = admin.geolocate(agent, wait)
    if position is None:
        raise GlpiError(400, "ERROR_GLPI_UPDATE", "Timeout requesting position")
    if position["latitude"] == "na":
        raise GlpiError(400, "ERROR_GLPI_UPDATE", "GPS is turned off or is not ready")
    return "The device sent its position"


def _inventory(admin: Administration, agent: Agent, wait: float) -> str:
    if not admin.inventory(agent, wait):
        raise GlpiError(400, "ERROR_GLPI_UPDATE", "Timeout querying the device inventory")
    return "Inventory received"
