"""Commands of the backend: each a job that answers on the agent's Status topics."""

import json
import time

from micropython import const

from flyve import log, registry

_UNIX = const(946684800)  # seconds from 1970 to the board's epoch


def run(agent, name, message, retained):
    """A job: carries out the command called name (in lower case); message: its JSON object."""
    command = registry.commands.get(name)
    names = ["geolocate", "inventory", "subscribe", "lock", "wipe", "unenroll"]
    if command is None and name not in names:
        log.warn("commands", "%s is unknown: ignored", name)
        return
    log.info("commands", "%s", name)
    word = str(message.get(name)).lower()
    if command:
        yield from command(agent, message, retained)
    elif name == "geolocate":
        _geolocate(agent)
    elif name == "inventory":
        yield from _inventory(agent)
    elif name == "subscribe":
        yield from _subscribe(agent, message)
    elif name == "lock":
        # The state outlives a restart.
        if word in ["now", "unlock"]:
            on = word == "now"
            agent.rec.save(lock=on or None)
            if agent.apps:
                agent.apps.pause(on)
            if agent.settings["led"] is not None:
                from flyve.jobs import board_facts

                board_facts.led(agent.settings["led"], on)
    elif word == "now":
        if name == "wipe":
            # All but the firmware goes, at the next start, which has the memory for it.
            from flyve.jobs import leaving

            leaving.begin_wipe()
            agent.restart("to be wiped", True)
        else:
            agent.rec.save(state="leaving")  # leaving.py goes on


def _geolocate(agent):
    """Tells the position: the board's own if somebody provides one, else the configured one."""
    find = agent.position or registry.position
    position = find() if find else None
    if position is None:
        position = agent.settings["latitude"], agent.settings["longitude"]
    answer = {"datetime": int(time.time()) + _UNIX}
    if None in position:
        answer["gps"] = "off"
    else:
        answer["latitude"], answer["longitude"] = position
    agent.answer("Geolocation", json.dumps(answer).encode(), "geolocation", answer)


def _inventory(agent):
    """Sends the inventory's XML, made piece by piece."""
    body = None
    if agent.by_mqtt:
        from flyve.jobs import inventory

        yield
        body = inventory.Body(agent.settings, agent)
        yield
    agent.answer("Inventory", body, "inventory")


def _subscribe(agent, message):
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
        from flyve.jobs import policies

        yield from policies.forget_fleet(agent)
        rec.save(moving=None)
    # Not before: of the new one's policies none must be taken for one of the old one's.
    if fleet != old:
        agent.link.move(old, fleet)
    elif moving:
        agent.link.refresh()
