"""Files, applications and policies for agents: uploads, tasks, and what becomes of them."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass

from flyve_mdm.glpi import agents
from flyve_mdm.glpi.agents import AGENT, Agent
from flyve_mdm.glpi.errors import GlpiError, Refused
from flyve_mdm.glpi.session import Row, Session
from flyve_mdm.patience import stretched

FINAL = ("done", "failed", "canceled", "incompatible", "overriden")
_FILE, _PACKAGE, _TASK = "PluginFlyvemdmFile", "PluginFlyvemdmPackage", "PluginFlyvemdmTask"
_POLL = 0.5


@dataclass
class Outcome:
    """A task and the last that GLPI knows of it."""

    task: int
    status: str


def deploy_file(
    session: Session, agent: Agent, data: bytes, name: str, destination: str, wait: float
) -> Outcome:
    """Send a file into a folder of a device."""
    _printable_by_php(name)
    session.enter(agent.row["entities_id"])
    # GLPI looks at the extension of the upload only; what the device gets is the other name.
    number = session.upload(_FILE, {"name": name}, _unique("zip"), data, f"the file {name}")
    # With 0 instead, version 2.0.0 of the plugin fails when somebody removes the task.
    value = {"destination": destination, "remove_on_delete": 1}
    with _kept_if_done(session, _FILE, number):
        task = _assign(session, agent, "deployFile", value, _FILE, number)
    return _finish(session, agent, task, wait)


def deploy_app(
    session: Session, agent: Agent, data: bytes, package: str, version_code: str, name: str,
    wait: float,
) -> Outcome:  # fmt: skip
    """Install an application on a device."""
    session.enter(agent.row["entities_id"])
    try:
        number = session.upload(_PACKAGE, {"alias": "app"}, _unique("apk"), data, f"{package}")
    except Refused as refused:
        if refused.code != "ERROR_GLPI_ADD" or refused.denied:
            raise
        raise GlpiError(
            f"{refused}: does GLPI take .apk files? The plugin's configuration page has a button "
            "that adds them to the document types"
        ) from None
    with _kept_if_done(session, _PACKAGE, number):
        # The plugin reads these out of an Android package; here they are given.
        session.update(
            _PACKAGE, number, package, package_name=package, version_code=version_code,
            version=version_code, dl_filename=name, parse_status="parsed",
        )  # fmt: skip
        if str(session.get(f"{_PACKAGE}/{number}")["package_name"]) != package:
            raise GlpiError(
                "not possible over REST: this version of the plugin takes a package's name out of "
                "an Android package only; use version 2.0, or deploy-file"
            )
        value = {"remove_on_delete": 1}
        task = _assign(session, agent, "deployApp", value, _PACKAGE, number)
    return _finish(session, agent, task, wait)


def remove_file(session: Session, agent: Agent, path: str, wait: float) -> Outcome:
    """Remove a file from a device."""
    return _finish(session, agent, _assign(session, agent, "removeFile", path), wait)


def remove_app(session: Session, agent: Agent, package: str, wait: float) -> Outcome:
    """Remove an application from a device."""
    return _finish(session, agent, _assign(session, agent, "removeApp", package), wait)


@contextlib.contextmanager
def _kept_if_done(session: Session, itemtype: str, number: int) -> Iterator[None]:
    """Removes what was uploaded when it gets no task."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(GlpiError):
            session.delete(itemtype, number)
        raise


def _unique(extension: str) -> str:
    """GLPI's folder for uploads may still hold another one of the same name, and takes that."""
    return f"{secrets.token_hex(8)}.{extension}"


def _printable_by_php(name: str) -> None:
    if '"' in name or "\\" in name:
        raise GlpiError(f"{name}: GLPI destroys quotes and backslashes in a name: take --name")


def _assign(
    session: Session, agent: Agent, symbol: str, value: object, itemtype: str = "", number: int = 0
) -> int:
    """Make a task; returns its id."""
    rows = session.search("PluginFlyvemdmPolicy", symbol=symbol)
    if not rows:
        raise GlpiError(f"GLPI has no policy {symbol}, or you may not see it")
    fields: Row = {**_target(session, agent), "plugin_flyvemdm_policies_id": rows[0]["id"]}
    fields["value"] = value
    if itemtype:
        fields |= {"itemtype": itemtype, "items_id": number}
    return session.create(_TASK, symbol, **fields)


def _target(session: Session, agent: Agent) -> Row:
    if agent.generation != "A":
        return {"itemtype_applied": AGENT, "items_id_applied": agent.id}
    # The first generation knows tasks of fleets only, and none of the default one.
    number = agent.row["plugin_flyvemdm_fleets_id"]
    fleet = session.get(f"PluginFlyvemdmFleet/{number}")
    if fleet["is_default"]:
        agents.fleet(session, agent, f"fleet of {agent.serial}")
        agent.row = agents.read(session, agent.id) or agent.row
        return {"plugin_flyvemdm_fleets_id": agent.row["plugin_flyvemdm_fleets_id"]}
    others = len(session.search(AGENT, plugin_flyvemdm_fleets_id=number)) - 1
    if others > 0:
        raise GlpiError(
            f"this version of the plugin has tasks of fleets only, and {others} other devices are "
            f"in {fleet['name']}: move this one with `flyve admin fleet` first"
        )
    return {"plugin_flyvemdm_fleets_id": number}


def _finish(session: Session, agent: Agent, task: int, wait: float) -> Outcome:
    """Wait for an end of a task; GLPI tells it by its status only."""
    until = time.monotonic() + stretched(wait)
    while True:
        rows = [row for row in session.pages(f"{_TASK}/{task}/PluginFlyvemdmTaskstatus")
                if row["plugin_flyvemdm_agents_id"] == agent.id]  # fmt: skip
        if len(rows) > 1:
            raise GlpiError(
                f"task {task}: GLPI has two statuses of it and so stores no other (a fault of the "
                "plugin): remove the task in GLPI, and deploy again"
            )
        status = rows[0]["status"] if rows else "pending"
        if status in FINAL or time.monotonic() >= until:
            return Outcome(task, status)
        time.sleep(_POLL)
