"""Commands of the backend: each is a job that answers on the agent's Status topics."""

import json
import time

from micropython import const

from flyve import log, memory, registry, transport

_TRIES = const(3)
_GUARDED = ("lock", "unenroll", "wipe")  # a retained one may be stale
_UNIX = const(946684800)  # seconds from 1970 to the board's epoch


def run(online):
    """A job: carries out the commands in the box, the oldest first. One that breaks off for want
    of memory is left there, to be begun anew; any other failure is its own."""
    box = online.box
    while box["commands"]:
        name, message, retained = box["commands"][0]
        box["begun"] += 1
        try:
            if not (_guard(online, name, message, retained) or _undated(online, name)):
                yield from carry_out(online, name, message, retained)
        except (Exception, SystemExit) as e:
            if isinstance(e, MemoryError) and box["begun"] <= _TRIES:
                raise
            online.agent.report("commands", e)
            if name not in box["guarded"]:
                _guard(online, name, message, True)  # it is tried again, if it still holds
        box["begun"] = 0
        box["commands"].pop(0)
        if box["commands"]:
            yield


def _guard(online, name, message, retained):
    """True when the command is one of the backend's that is to be checked first, by guarded.py."""
    if name not in _GUARDED:
        return False
    guarded = online.box["guarded"]
    old = guarded.pop(name, None)
    if retained:
        same = old and old[0] == message
        guarded[name] = old if same else (message, log.uptime())
    return retained


def _undated(online, name):
    """True when the command is to wait for the clock: the backend insists on the date of a
    position, and would keep a wrong one."""
    if name != "geolocate" or time.time() >= transport.clock["floor"]:
        return False
    if not online.box["undated"]:
        log.info("commands", "geolocate waits until the clock is set")
    online.box["undated"] = True
    return True


def carry_out(online, name, message, retained):
    """A job: carries out the command called name (in lower case); message: its JSON object."""
    command = registry.commands.get(name)
    names = ["geolocate", "inventory", "subscribe", "lock", "wipe", "unenroll"]
    if command is None and name not in names:
        log.warn("commands", "%s is unknown: ignored", name)
        return
    log.info("commands", "%s", name)
    agent = online.agent
    word = str(message.get(name)).lower()
    if command:
        yield from command(agent, message, retained)
    elif name == "geolocate":
        _geolocate(online)
    elif name == "inventory":
        yield from _inventory(online)
    elif name == "subscribe":
        yield from _subscribe(online, message)
    elif name == "lock":
        # The state outlives a restart.
        if word in ["now", "unlock"]:
            on = word == "now"
            agent.rec.save(lock=on or None)
            if agent.apps:
                agent.apps.pause(on)
            if agent.settings.get("led") is not None:
                from flyve.jobs import led

                led.lock(on)
                led = None
                memory.drop("led")
    elif word == "now":
        if name == "wipe":
            # All but the firmware goes, at the next start, which has the memory for it.
            from flyve.jobs import erasing

            erasing.begin_wipe()
            erasing = None
            memory.drop("erasing")
            agent.restart("to be wiped", True)
        else:
            agent.rec.save(state="leaving")  # leaving.py goes on


def _geolocate(online):
    """Tells the position: the board's own if somebody provides one, else the configured one."""
    settings = online.settings
    find = online.agent.position or registry.position
    position = find() if find else None
    if position is None:
        position = settings.get("latitude"), settings.get("longitude")
    answer = {"datetime": int(time.time()) + _UNIX}
    if None in position:
        answer["gps"] = "off"
    else:
        answer["latitude"], answer["longitude"] = position
    online.answer("Geolocation", json.dumps(answer).encode(), "geolocation", answer)


def _inventory(online):
    """Sends the inventory's XML, made piece by piece."""
    body = None
    if online.by_mqtt:
        from flyve.jobs import inventory

        yield
        made = inventory.sections(online.settings, online)
        inventory = None
        memory.drop("inventory", "board_facts")
        from flyve.jobs import body as bodies

        body = bodies.Pieces(made)
        yield
    online.answer("Inventory", body, "inventory")
    bodies = body = None
    memory.drop("body")


def _subscribe(online, message):
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
    rec = online.rec
    old = rec.get("fleet")
    if fleet != old:
        # `moving`: the old one's policies have still to end, also after a power cut.
        rec.save(fleet=fleet, moving=True if old else rec.get("moving"))
        log.info("commands", "fleet %s", fleet)
    moving = rec.get("moving")
    if moving:
        yield
        from flyve.jobs import removal

        yield from removal.forget_fleet(online)
        removal = None
        memory.drop("removal")
        rec.save(moving=None)
    # Not before: of the new one's policies none must be taken for one of the old one's.
    if fleet != old:
        online.link.ask([fleet + "/#"] if fleet else [], [old + "/#"] if old else [])
    elif moving:
        from flyve.jobs import mqtt_connect

        mqtt_connect.refresh(online.link, rec)
        mqtt_connect = None
        memory.drop("mqtt_connect")
