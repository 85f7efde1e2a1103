"""Commands of the backend: each a job that answers on the agent's Status topics."""

import json
import time

from flyve import board, log, registry, resident

_UNIX = 946684800  # seconds from 1970 to the board's epoch


def run(agent, name, message, retained):
    """A job: carries out the command called name (in lower case); message: its JSON object."""
    command = registry.commands.get(name) or _BUILT_IN.get(name)
    if command is None:
        log.warn("commands", "%s is unknown: ignored", name)
        return
    log.info("commands", "%s", name)
    yield from command(agent, message, retained)


def _geolocate(agent, message, retained):
    """Tells the position: the board's own if somebody provides one, else the configured one."""
    find = agent.position or registry.position
    position = find() if find else None
    settings = agent.settings
    if position is None and settings["latitude"] is not None and settings["longitude"] is not None:
        position = settings["latitude"], settings["longitude"]
    answer = {"datetime": int(time.time()) + _UNIX}
    if position is None:
        answer["gps"] = "off"
    else:
        answer["latitude"], answer["longitude"] = position
    agent.answer("Geolocation", json.dumps(answer).encode(), "geolocation", answer)
    yield


def _inventory(agent, message, retained):
    """Sends the inventory's XML, made piece by piece."""
    body = None
    if agent.by_mqtt:
        inventory = resident.load("inventory")
        facts = inventory.of(agent)
        yield
        body = inventory.Body(facts)
        yield
    agent.answer("Inventory", body, "inventory")


def _subscribe(agent, message, retained):
    """Moves to another fleet, or (null) to none: the old one's policies end."""
    try:
        fleet = message["subscribe"][0]["topic"]
    except (KeyError, IndexError, TypeError):
        log.warn("commands", "subscribe is malformed: ignored")
        return
    if fleet is not None and (not isinstance(fleet, str) or "#" in fleet or "+" in fleet):
        log.warn("commands", "subscribe to a strange topic: ignored")
        return
    fleet = fleet.rstrip("/") if fleet else None
    rec = agent.rec
    old = rec.get("fleet")
    if fleet != old:
        # `moving`: the old one's policies have still to end, also after a power cut.
        rec.save(fleet=fleet, moving=True if old else rec.get("moving"))
        log.info("commands", "fleet %s", fleet)
    moving = rec.get("moving")
    if moving:
        yield
        yield from resident.load("policies").forget_fleet(agent)
        rec.save(moving=None)
    # Not before: of the new one's policies none must be taken for one of the old one's.
    if fleet != old:
        agent.link.move(old, fleet)
    elif moving:
        agent.link.refresh()
    yield


def _lock(agent, message, retained):
    """Locks or unlocks; the state outlives a restart."""
    keyword = str(message.get("lock")).lower()
    if keyword not in ("now", "unlock"):
        return
    on = keyword == "now"
    agent.rec.save(lock=on or None)
    if agent.apps:
        agent.apps.pause(on)
    if agent.settings["led"] is not None:
        board.led(agent.settings["led"], on)
    yield


def _wipe(agent, message, retained):
    """Erases all but the firmware, at the next start, which has the memory for it."""
    if str(message.get("wipe")).lower() == "now":
        open("/wiping", "w").close()
        agent.restart("to be wiped", True)
    yield


def _unenroll(agent, message, retained):
    """Ends the enrollment, by leaving.py."""
    if str(message.get("unenroll")).lower() == "now":
        agent.rec.save(state="leaving")
    yield


_BUILT_IN = {
    "geolocate": _geolocate,
    "inventory": _inventory,
    "lock": _lock,
    "subscribe": _subscribe,
    "unenroll": _unenroll,
    "wipe": _wipe,
}
