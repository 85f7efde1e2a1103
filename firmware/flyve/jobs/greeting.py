"""What follows on a new connection to the broker."""

from micropython import const

from flyve import VERSION, memory, transport

_OLD_S = const(172800)  # of the clock's floor, see clock.keep()


def greet(online):
    """Tells GLPI and the log's reader; the newest proven time is kept."""
    rec = online.rec
    online.tell("online")
    for name in ("refusals", "doubt_s"):
        online.notes.pop(name, None)
    rec.save(doubt_s=None)
    if transport.clock["proven"] > transport.clock["floor"] + _OLD_S:
        from flyve.jobs import clock

        clock.keep(rec)
        clock = None
        memory.drop("clock")
    if rec.get("generation") == "A":
        # It takes digits and dots only, where Android sends JSON.
        version = ""
        for c in online.settings.get("version") or VERSION:
            if c.isdigit() or c == ".":
                version += c
            elif version:
                break
        online.link.say(online.link.topic + "/FlyvemdmManifest/Status/Version", version.encode())
