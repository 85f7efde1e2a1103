"""Agents as GLPI has them, and commands for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flyve_mdm.glpi.errors import GlpiError, NoAnswer, Refused
from flyve_mdm.glpi.session import Row, Session
from flyve_mdm.patience import stretched

AGENT = "PluginFlyvemdmAgent"
_POLL = 0.5  # seconds between two looks at what nobody tells
_PROMPT = 3  # seconds: what is refused sooner was not waited for


@dataclass
class Agent:
    """One agent, with its computer's serial."""

    row: Row
    serial: str

    @property
    def id(self) -> int:
        return self.row["id"]

    @property
    def entity(self) -> int:
        return self.row["entities_id"]

    @property
    def generation(self) -> str:
        """The plugin's generation, by the columns that came with it."""
        if "has_system_permission" not in self.row:
            return "A"
        return "C" if "notification_type" in self.row else "B"

    @property
    def topic(self) -> str:
        slash = "/" if self.generation == "A" else ""
        return f"{slash}{self.row['entities_id']}/agent/{self.serial}"


def find(session: Session, key: str) -> Agent:
    """The agent with this id, serial, topic, or e-mail address that has one; raises GlpiError."""
    rows = _rows(session, key)
    if not rows and key.startswith("fleet:"):
        raise GlpiError(f"{key}: only tasks are for a whole fleet: name a device")
    if not rows:
        raise GlpiError(f"no agent {key}: list them with `flyve admin list`")
    if len(rows) > 1:
        ids = ", ".join(str(row["id"]) for row in rows)
        raise GlpiError(f"{len(rows)} devices are {key}: name one by its id ({ids})")
    (row,) = rows
    return Agent(row, serial_of(session, row["computers_id"]))


def _rows(session: Session, key: str) -> list[Row]:
    if key.isdecimal():
        row = read(session, int(key))
        if row:
            return [row]
    if "@" in key:
        rows = session.search(AGENT, name=key)
        if rows:
            return rows
    found = []
    for computer in session.search("Computer", serial=key.rpartition("/")[2]):
        found += session.pages(f"Computer/{computer['id']}/{AGENT}")
    return found


def serial_of(session: Session, computer: int) -> str:
    """A computer's serial; "": somebody has deleted the computer."""
    return str((session.item("Computer", computer) or {"serial": ""})["serial"])


def read(session: Session, number: int) -> Row | None:
    """An agent's row as it is now; None: there is none (any more)."""
    # In a list, for a GET of the item shows its API token, and for the device's owner with the
    # guest profile it even makes a new MQTT password, which the device does not have.
    return next(iter(session.search(AGENT, id=number)), None)


def ping(session: Session, agent: Agent, wait: float) -> bool:
    """Whether a device answers."""
    before = agent.row["last_contact"]

    def changed() -> bool:
        return (read(session, agent.id) or {}).get("last_contact") != before

    return _ask(session, agent, "ping", wait, changed)


def geolocate(session: Session, agent: Agent, wait: float) -> Row | None:
    """Where a device is; None: it does not answer."""
    before = _position(session, agent)

    def changed() -> bool:
        return _position(session, agent) != before

    if not _ask(session, agent, "geolocate", wait, changed):
        return None
    return place(session, _position(session, agent))


def _position(session: Session, agent: Agent) -> Row:
    path = f"Computer/{agent.row['computers_id']}/PluginFlyvemdmGeolocation"
    return next(iter(session.newest(path)), {})


def place(session: Session, row: Row) -> Row:
    """A position; its latitude and longitude are "na" where the device has none."""
    when = session.unix(row["date"])
    return {"datetime": when, "latitude": row["latitude"], "longitude": row["longitude"]}


def ask_inventory(session: Session, agent: Agent, wait: float) -> bool:
    """Whether a device has sent its inventory."""
    return _ask(session, agent, "inventory", wait, lambda: False)


def inventory(session: Session, agent: Agent) -> str:
    """The last inventory as it came over MQTT; none: "". GLPI tells it nowhere else."""
    path, received = "PluginFlyvemdmMqttlog", {"searchText[direction]": "^I$"}
    if agent.generation == "C":
        of = {"itemtype": f"^{AGENT}$", "items_id": f"^{agent.id}$", "topic": "^Status/Inventory$"}
    else:
        of = {"topic": f"^{agent.topic}/Status/Inventory$"}
    of = {f"searchText[{name}]": value for name, value in of.items()}
    rows = session.newest(path, **received, **of)
    return str(rows[0]["message"]) if rows else ""


def _ask(
    session: Session, agent: Agent, name: str, wait: float, changed: Callable[[], bool]
) -> bool:
    """Ask a device; GLPI waits 10 s for the answer, so it is asked again until `wait` is over."""
    # The newest generation has another name for it; each passes over what it does not know.
    fields = {f"_{name}_request": "", f"_{name}": ""}
    until = time.monotonic() + stretched(wait)
    while True:
        begin = time.monotonic()
        left = max(until - begin, stretched(_POLL)) / stretched(1)
        try:
            session.update(AGENT, agent.id, name, timeout=min(left, 30), **fields)
            return True
        except NoAnswer:
            pass
        except Refused as refused:
            # It came a moment too late, or tells that the device does not know where it is.
            if changed():
                return True
            soon = time.monotonic() - begin < stretched(_PROMPT)
            if refused.code != "ERROR_GLPI_UPDATE" or (soon and "imeout" not in refused.message):
                raise
        if changed():
            return True
        if time.monotonic() >= until:
            return False


def lock(session: Session, agent: Agent, locked: bool) -> bool:
    """Lock or unlock; False: it was so before, and GLPI sends nothing. Raises GlpiError."""
    if agent.row["wipe"]:
        raise GlpiError("ignored: the device is being wiped, and GLPI drops locks silently then")
    if bool(agent.row["lock"]) == locked:
        return False
    _set(session, agent, "lock", int(locked))
    return True


def wipe(session: Session, agent: Agent, ordered: bool = True) -> bool:
    """Wipe, or take that order back; False: it was so before, and GLPI does nothing."""
    if bool(agent.row["wipe"]) == ordered:
        return False
    _set(session, agent, "wipe", int(ordered))
    return True


def _set(session: Session, agent: Agent, name: str, value: int) -> None:
    session.update(AGENT, agent.id, name, **{name: value})
    row = read(session, agent.id)
    if row is None or row[name] != value:
        raise GlpiError(f"GLPI took the {name} but did not keep it: somebody else changed it")


def unenroll(session: Session, agent: Agent, wait: float) -> bool:
    """Unenroll; True when the device has acknowledged, and so is gone."""
    session.update(AGENT, agent.id, "unenroll", _unenroll_request="", _unenroll="")
    until = time.monotonic() + stretched(wait)
    while read(session, agent.id) is not None:
        if time.monotonic() >= until:
            return False
        time.sleep(_POLL)
    return True


def delete(session: Session, agent: Agent) -> None:
    """Delete without the device's consent."""
    session.delete(AGENT, agent.id, "the deletion")


def fleet(session: Session, agent: Agent, name: str | None) -> str:
    """Move to the fleet of this name, made when missing; None: to the default one, which is none.
    Returns the fleet's name."""
    entity = agent.row["entities_id"]
    if name is None:
        rows = session.search("PluginFlyvemdmFleet", is_default=1, entities_id=entity)
        if not rows:
            raise GlpiError(f"entity {entity} has no default fleet, or you may not see it")
    else:
        rows = session.search("PluginFlyvemdmFleet", name=name, entities_id=entity)
    if rows:
        number, name = rows[0]["id"], str(rows[0]["name"])
    else:
        fields: dict[str, Any] = {"name": name, "entities_id": entity, "is_recursive": 0}
        number = session.create("PluginFlyvemdmFleet", f"the fleet {name}", **fields)
    if number != agent.row["plugin_flyvemdm_fleets_id"]:
        session.update(AGENT, agent.id, "the fleet", plugin_flyvemdm_fleets_id=number)
    return str(name)
