"""Why tasks failed: GLPI keeps a status only, so an agent tells the reason in its inventory."""

from __future__ import annotations

import time

from flyve_mdm import inventory
from flyve_mdm.glpi import agents
from flyve_mdm.glpi.agents import Agent
from flyve_mdm.glpi.session import Session
from flyve_mdm.patience import stretched

FAILED = ("failed", "incompatible")
_POLL = 0.5
_WAIT = 5  # seconds: an agent tells why after the status


def told(session: Session, agent: Agent) -> dict[tuple[str, str], str]:
    """The reasons in an agent's last inventory, by a task's id and status."""
    rows = inventory.failures(agents.inventory(session, agent))
    return {(row["task"], row["status"]): row["why"] for row in rows}


def why(session: Session, agent: Agent, task: int, status: str) -> str | None:
    """Why a task failed: as the agent tells by itself, else as it is asked for."""
    until = time.monotonic() + stretched(_WAIT)
    while True:
        found = told(session, agent).get((str(task), status))
        if found is not None:
            return found
        if time.monotonic() >= until:
            break
        time.sleep(_POLL)
    agents.ask_inventory(session, agent, _WAIT)
    return told(session, agent).get((str(task), status))
