"""Fleets: what a task may be for, besides a single agent."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from flyve_mdm.glpi import agents
from flyve_mdm.glpi.agents import Agent
from flyve_mdm.glpi.errors import GlpiError
from flyve_mdm.glpi.session import Row, Session

FLEET = "PluginFlyvemdmFleet"
_PREFIX = "fleet:"


@dataclass
class Fleet:
    """One fleet: all of its devices, also those that come later."""

    row: Row

    @property
    def id(self) -> int:
        return self.row["id"]

    @property
    def name(self) -> str:
        return str(self.row["name"])

    @property
    def entity(self) -> int:
        return self.row["entities_id"]


def target(session: Session, key: str) -> Agent | Fleet:
    """What a task is for: the fleet that "fleet:NAME" names, or an agent. Raises GlpiError."""
    if not key.startswith(_PREFIX):
        return agents.find(session, key)
    name = key.removeprefix(_PREFIX)
    rows = session.search(FLEET, name=name)
    if not rows:
        command = f"flyve admin fleet AGENT {shlex.quote(name)}"
        raise GlpiError(f"there is no fleet {name}: `{command}` makes it")
    if len(rows) > 1:
        entities = ", ".join(str(row["entities_id"]) for row in rows)
        raise GlpiError(
            f"{len(rows)} fleets are called {name}: choose one by FLYVE_ENTITY ({entities})"
        )
    if rows[0]["is_default"]:
        raise GlpiError(f"{name} is where devices are that have no fleet: GLPI gives it no tasks")
    return Fleet(rows[0])
