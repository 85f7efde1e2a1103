"""An invitation that came to the set-up page: nothing of it is written."""

import binascii
import os

from micropython import const

from flyve import log, memory

_SHOWN = const(128)  # characters of each


def token():
    """What a form must bring back, so that no other page can send one."""
    return binascii.hexlify(os.urandom(8)).decode()


def take(box, link):
    """Takes an invitation's link; returns what is wrong with it, "" when nothing is."""
    if box["plan"]:
        return ""
    try:
        from flyve.jobs import deeplink

        note(box, deeplink.parse(link))
        if link != box["link"]:
            # Whoever has the page before him has not seen this one.
            box["form"] = token()
        box["link"] = link
        log.info("setup", "an invitation to %s has come", box["backend"])
        return ""
    except ValueError as e:
        return "This invitation cannot be used: %s." % e
    finally:
        deeplink = None
        memory.drop("deeplink")


def note(box, invited):
    """Keeps what the page tells of an invitation: its tokens are no part of that."""
    box["backend"] = invited.url.split("/")[2][:_SHOWN]
    box["helpdesk"] = log.plain(invited.name[:_SHOWN])
    box["contact"] = log.plain(" ".join([part[:_SHOWN] for part in invited[4:] if part]))
    log.secret("user", invited.user_token)
    log.secret("invitation", invited.invitation_token)
