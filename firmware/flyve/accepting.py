"""How an invitation is accepted; the modules for it come and go."""

from micropython import const

from flyve import log, registry, resident

_LOOK_MS = const(5000)  # how often to look for a deeplink


def run(agent):
    """A job: enrolls by the deeplink on the flash, or waits for one."""
    agent.invited.after(_LOOK_MS)
    rec = agent.rec
    if not resident.load("invitation").waiting():
        if not agent.told:
            agent.told = True
            if rec.get("state") in ("invited", "created"):
                log.error("enrollment", "the deeplink is gone: provision it again")
            log.info("agent", "waiting for a deeplink")
        return
    agent.told = False
    try:
        yield from resident.load("enrollment").run(rec, agent.settings)
    except registry.Refused as e:
        resident.load("invitation").refuse(rec, e)
    agent.invited.after(0)
