"""What the set-up page is to tell: of the board, of what has happened to it, and of the air."""

from micropython import const

from flyve import log
from flyve.jobs import access_point, board_facts, invitation, setup_link, texts, wifi_join

_NETWORKS = const(16)
_WEAKEST = const((-85, -75, -65, -55))  # dBm, of one bar and more


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
        "networks": [],  # in the air: name, bars, whether it has a passphrase
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


def _heard(station):
    try:
        return station.scan()
    except OSError as e:
        log.warn("setup", "the air cannot be scanned: %s", e)
        return ()


def scan(station):
    """The networks in the air, the strongest first; those alone whose names can be shown."""
    heard = _heard(station)
    if not heard and not station.isconnected():
        # It was perhaps at a try to join, which it will make again.
        try:
            station.disconnect()
        except OSError:
            pass
        heard = _heard(station)
    networks = []
    for one in sorted(heard, key=lambda one: -one[3]):
        try:
            name = one[0].decode()
        except UnicodeError:
            continue
        if name and texts.plain(name) == name and name not in [n[0] for n in networks]:
            # Somebody may have one without a lock by the same name.
            locked = any(other[4] != 0 for other in heard if other[0] == one[0])
            networks.append((name, sum([one[3] >= dbm for dbm in _WEAKEST]), locked))
    return networks[:_NETWORKS]
