"""The invitation on the flash: a deeplink in a file, from provisioning until it has served."""

import binascii
import hashlib
import json
import os

from micropython import const

from flyve import log, memory
from flyve.jobs import texts

PATH = const("/deeplink")
_ALONE_MS = const(300000)  # after the start: so long it is tried without the set-up page
_SELDOM_MS = const(86400000)  # a look for another: to provision one restarts the board
_HELPDESK = const(324)  # bytes of it in the record


def waiting():
    """True when a deeplink lies on the flash."""
    try:
        return os.stat(PATH)[6] > 0
    except OSError:
        return False


def another(agent):
    """True when another deeplink lies on an enrolled board's flash; the agent is offline then, for
    beside a connection there is no memory for another enrollment."""
    found = waiting()
    if not found:
        agent.invited.after(_SELDOM_MS)
    elif agent.online:
        agent.online.link.close()
        agent.begin_anew("online")
    return found


def needs_help(agent):
    """True when the set-up page is to open: the board is blank, or has not come to the backend."""
    if agent.settings.get("setup") == "off" or agent.rec.get("state") in ["enrolled", "leaving"]:
        return False
    return log.uptime() > _ALONE_MS or not waiting()


def discard():
    """Removes the deeplink from the flash."""
    try:
        os.remove(PATH)
    except OSError:
        pass


def read():
    """(Invitation, mark) of the deeplink on flash; the mark tells deeplinks apart and is no
    secret. The helpdesk's texts, which may have a KB each, come in short as its name. Raises
    deeplink.DeeplinkError, a ValueError, when it cannot be used, OSError when there is none."""
    from flyve.jobs import deeplink

    limit = deeplink.LIMIT
    mark = binascii.hexlify(hashlib.sha256(texts.read(PATH, limit)).digest()[:6]).decode()
    try:
        # Handed on at once: a long one is to be in memory as few times as possible.
        found = deeplink.parse(texts.read(PATH, limit))
        helpdesk = texts.cut(" ".join([texts.cut(part, 320) for part in found[3:]]).strip(), 320)
        while len(json.dumps(helpdesk).encode()) > _HELPDESK:
            helpdesk = helpdesk[: len(helpdesk) - 1 - len(helpdesk) // 16]
        found = found[:3] + (helpdesk, "", "", found.email[:128])
        return deeplink.Invitation(*found), mark
    finally:
        deeplink = None
        memory.drop("deeplink")


def settle(rec):
    """Finishes what a power cut may have interrupted once the record had moved on: a deeplink
    that served its purpose is removed."""
    link = rec.get("link")
    if rec.get("state") not in ["enrolled", "refused"] or link is None:
        return
    if waiting():
        try:
            used = read()[1] == link
        except ValueError:
            used = True
        if used:
            discard()
    if rec.get("state") == "refused":
        # From here on the same deeplink may be provisioned again, e.g. with another e-mail.
        rec.save(link=None)


def refuse(rec, why):
    """Makes the refusal durable: the reason is kept, the deeplink is not."""
    log.error("enrollment", "refused %s", why)
    if rec.get("helpdesk"):
        log.error("enrollment", "helpdesk: %s", rec.get("helpdesk"))
    error = texts.cut(why, 200)
    try:
        mark = read()[1]
    except (ValueError, OSError):
        mark = "-"
    rec.save(scrub=True, state="refused", link=mark, posting=None, agent_id=None, error=error)
    discard()
    rec.save(link=None)
