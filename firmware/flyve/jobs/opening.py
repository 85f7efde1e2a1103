"""What an enrolled agent begins with, and what precedes each connection."""

import binascii

from micropython import const

from flyve import log, registry

_FORGOTTEN_MS = const(900000)  # after its time: nobody has asked for it any more


def begin(agent):
    """What online.Online holds at first: the box, the REST session, the reports or None, and
    whether answers go over MQTT."""
    rec, notes = agent.rec, agent.notes
    notes.pop("due", None)
    how = agent.settings["report"]
    by_rest = rec.get("generation") == "C" and how != "mqtt"
    box = {
        # Online.receive() puts it here, inbox.sort() takes it:
        "raw": [],  # (topic, payload, retained)
        "bytes": 0,  # that they take
        "heard": log.uptime(),  # when the newest message came that is no command
        "lost": [],  # topics of commands for which there was no room
        # A new subscription is to bring the retained messages again, waiting.stale():
        "overflow": False,  # at once
        "later": 0,  # at that uptime
        "asked": 0,  # the uptime of the newest one
        # inbox.sort() puts it here, commands.py takes it:
        "commands": [],  # (name in lower case, message, retained), the one at hand included
        "size": 0,  # bytes that they take
        "begun": 0,  # how often the first of them was
        "guarded": {},  # name -> (message, uptime) of retained ones that are to be checked
        "undated": False,  # a position waits for the clock
        # inbox.py's: dicts with fleet (its topic; None for the agent's own), symbol, id, payload
        # (empty to remove the policy; None when it was too long to be received), retained, key,
        # ours (the backend need not be asked whether it is); the one at hand included.
        "policies": [],
        "hand": None,
        "due": {},  # key -> the uptime before which it is not tried again, of those that failed
        "tries": {},  # key -> how often it has failed
        # known.py's:
        "keys": b"",
        "states": bytearray(),
        # apps.py puts it here, due.py takes it: (name, why) of an application that was
        # stopped
        "failed": [],
        "made": log.uptime(),  # when this was
    }
    reports = [] if by_rest else None
    return box, notes.setdefault("session", {}), reports, not by_rest or how == "both"


def connect(online):
    """A new connection brings all retained messages: what is known of them comes from the
    file."""
    rec = online.rec
    owner = "%s %s %s" % (rec.get("url"), rec.get("agent_id"), rec.get("api_token"))
    registry.belong(binascii.crc32(owner.encode()))
    now = log.uptime()
    box = online.box
    box.update({"overflow": False, "later": 0, "asked": now, "heard": now})
    for key in list(box["due"]):
        if box["due"][key] < now - _FORGOTTEN_MS:
            del box["due"][key]
            del box["tries"][key]
    from flyve.jobs import known

    known.read(online)
