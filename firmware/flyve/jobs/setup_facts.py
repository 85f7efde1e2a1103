"""What the set-up page is to tell: of the board, and of what has happened to it."""

from flyve import log
from flyve.jobs import access_point, board_facts, invitation, setup_link, wifi_join


def facts(agent):
    """The `box` of setup_page.py, plain data."""
    rec, settings = agent.rec, agent.settings
    known = wifi_join.known()
    box = {
        "network": access_point.name(),
        "serial": log.plain(settings.get("serial") or board_facts.serial()),
        "form": setup_link.token(),
        "shows": "new",
        "why": "",
        "todo": "",
        "backend": "",
        "helpdesk": "",
        "contact": "",
        "invited": invitation.waiting(),  # there is an invitation on the flash
        "link": None,  # one that has come
        "plan": None,  # what was sent: network, passphrase, e-mail address
        "join": None,  # setup_join.py's, once it is at that
        "known": known,  # networks that were set: name and passphrase
        "networks": [],  # wifi_scan.py's
        "typed": {
            "ssid": log.plain(known[0][0]) if known else "",
            "other": "",
            "email": log.plain(settings.get("email") or ""),
        },
        "errors": {},  # of a link that was tapped
        "asked": None,  # when somebody has looked at the page
        "again": False,  # the air is to be scanned anew
        "told": False,  # the page has told that all is well
    }
    if box["invited"]:
        try:
            setup_link.note(box, invitation.read()[0])
            # The helpdesk's name has the rest of its texts behind it.
            box["contact"], box["helpdesk"] = box["helpdesk"], ""
        except ValueError as e:
            # As enrollment.py would, if there was a network to enroll in.
            invitation.refuse(rec, "DEEPLINK " + str(e))
            box["invited"] = False
    why = log.plain(log.redact(rec.get("error") or ""))
    if box["invited"]:
        box["shows"] = "unreachable"
        box["why"] = why or "The board has not come to its backend."
        box["todo"] = "Check the network, or choose another. The board tries again by itself."
    elif rec.get("state") in ["refused", "orphaned"]:
        box["shows"] = "refused"
        box["contact"] = log.plain(rec.get("helpdesk") or "")
        box["why"] = why or "The backend does not know this board any more."
        box["todo"] = "Ask the helpdesk for a new invitation."
    return box
