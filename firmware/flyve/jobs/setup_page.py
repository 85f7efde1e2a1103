"""What a request of a phone gets, from what setup.py knows: `box`, plain data."""

import binascii
import os

from flyve import log, memory
from flyve.jobs import texts

_OWN = ("192.168.4.1", "127.0.0.1")  # the second: a virtual board's
_HOME = b"http://192.168.4.1/"
_SIGNS = (b"data=", b"data%3", b"/aHR0", b"/eyJ", b"deeplink")  # of an invitation's link


def token():
    """What a form must bring back, so that no other page can send one."""
    return binascii.hexlify(os.urandom(8)).decode()


def answer(box, method, target, host, body):
    """(status, where a redirect leads or None, pieces of the page or None)."""
    path = target.split(b"?")[0]
    own = host in _OWN
    home = b"/" if own else _HOME
    if method == "POST":
        if not own:
            return 403, None, None
        if path != b"/":
            return 404, None, None
        return _sent(box, body)
    if method == "GET" and _tapped(box, target):
        return 303, home, None
    if not own:
        return 302, home, None
    if path == b"/again":
        if method == "GET" and not box["plan"]:
            box["again"] = True
        return 303, home, None
    if path != b"/":
        return 404, None, None
    if method == "GET":
        box["asked"] = log.uptime()
    errors, box["errors"] = box["errors"], {}
    return 200, None, _page(box, errors)


def _tapped(box, target):
    """True when the request is an invitation's link: it is taken, or the page says what is wrong
    with it. Nothing is written."""
    for sign in _SIGNS:
        if sign in target:
            break
    else:
        return False
    wrong = _take(box, b"http://flyve.org" + target)
    if wrong and b"/deeplink" not in target and b"deeplink/" not in target:
        return False
    box["asked"] = log.uptime()
    box["errors"] = {"link_error": wrong} if wrong else {}
    return True


def _take(box, link):
    """Takes an invitation's link; returns what is wrong with it, "" when nothing is."""
    if box["plan"]:
        return ""
    try:
        from flyve.jobs import deeplink

        invited = deeplink.parse(link)
        note(box, invited)
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
    box["backend"] = texts.cut(invited.url.split("/")[2], 128)
    box["helpdesk"] = texts.cut(invited.name, 128)
    contact = [texts.cut(part, 128) for part in invited[4:] if part]
    box["contact"] = " ".join(contact)
    log.secret("user", invited.user_token)
    log.secret("invitation", invited.invitation_token)


def _sent(box, body):
    """A person has pressed the button."""
    if box["plan"]:
        return 303, b"/", None
    box["asked"] = log.uptime()
    from flyve.jobs import setup_form

    found = setup_form.fields(body)
    body = setup_form = None
    memory.drop("setup_form")  # a link takes the memory
    errors = {}
    if found["form"] != box["form"]:
        errors["ssid_error"] = (
            "The invitation is another one, or the board has started anew since: look through "
            "it, and send again."
        )
        return 403, None, _page(box, errors)
    for name in ("ssid", "other", "email"):
        box["typed"][name] = texts.cut(texts.plain(found[name]), 128)
    if found["link"]:
        wrong = _take(box, found["link"].encode())
        if wrong:
            errors["link_error"] = wrong
    elif not box["link"] and not box["invited"]:
        errors["link_error"] = (
            "Paste the invitation's link, or open it on this phone while it is in this network."
        )
    found["link"] = ""
    from flyve.jobs import setup_form

    network = setup_form.network(found, box["networks"], box["known"], errors)
    address = setup_form.email(found, errors)
    setup_form = None
    memory.drop("setup_form")
    if errors:
        return 422, None, _page(box, errors)
    box["plan"] = network + (address,)
    box["shows"] = "joining"
    return 303, b"/", None


def _page(box, errors):
    """The page's policy, and the pieces of the page."""
    shown = box["shows"]
    typed = box["typed"]
    values = {
        shown: True,
        "invited": bool(box["link"] or box["invited"]),
        "refresh": "3" if shown == "joining" else "",
    }
    for name in ("network", "serial", "form", "why", "todo", "helpdesk", "contact", "backend"):
        values[name] = box[name]
    values.update(typed)
    values.update(errors)
    values["ssid"] = typed["ssid"] or typed["other"]
    networks = []
    for name, bars, locked in box["networks"]:
        networks.append((name, bars, locked, name == typed["ssid"]))
    from flyve.jobs import page

    yield page.POLICY
    yield from page.render(values, networks)
    page = None
    memory.drop("page")
    if shown == "joined":
        box["told"] = True
