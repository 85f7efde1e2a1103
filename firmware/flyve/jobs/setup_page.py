"""What a request of a phone gets, from what setup.py knows: `box`, plain data."""

from micropython import const

from flyve import log, memory
from flyve.jobs import texts

_OWN = ("192.168.4.1", "127.0.0.1")  # the second: a virtual board's
_HOME = b"http://192.168.4.1/"
_SIGNS = (b"data=", b"data%3", b"/aHR0", b"/eyJ", b"deeplink")  # of an invitation's link
_BODY = const(3)
_MISSING = const(
    "Paste the invitation's link, or open it on this phone while it is in this network."
)


def answer(box, request, wrong):
    """(status, where a redirect leads or None, what the page shows or None), or (None, link, None)
    when a link is to be read first. request: method, target, host and body, of which the body goes
    once it is read; wrong: what is wrong with the link, "" when nothing is, None before."""
    method, target, host, _ = request
    path = target.split(b"?")[0]
    own = host in _OWN
    home = b"/" if own else _HOME
    if method == "POST":
        if not own:
            return 403, None, None
        if path != b"/":
            return 404, None, None
        return _sent(box, request, wrong)
    if method == "GET" and [sign for sign in _SIGNS if sign in target]:
        if wrong is None:
            return None, b"http://flyve.org" + target, None
        if not wrong or b"/deeplink" in target or b"deeplink/" in target:
            box["asked"] = log.uptime()
            box["errors"] = {"link_error": wrong} if wrong else {}
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
    return 200, None, _shown(box, errors)


def _sent(box, request, wrong):
    """A person has pressed the button."""
    if box["plan"]:
        return 303, b"/", None
    if wrong is None:
        box["asked"] = log.uptime()
        from flyve.jobs import setup_form

        found = setup_form.fields(request[_BODY])
        request[_BODY] = setup_form = None
        if found["form"] != box["form"]:
            why = (
                "The invitation is another one, or the board has started anew since: look through "
                "it, and send again."
            )
            return 403, None, _shown(box, {"ssid_error": why})
        for name in ("ssid", "other", "email"):
            box["typed"][name] = texts.cut(texts.plain(found[name]), 128)
        link = found.pop("link")
        box["sent"] = found
        if link:
            memory.drop("setup_form")
            return None, link, None
        wrong = ""
        if not box["link"] and not box["invited"]:
            wrong = _MISSING
    found = box.pop("sent")
    errors = {"link_error": wrong} if wrong else {}
    from flyve.jobs import setup_form

    network = setup_form.network(found, box["networks"], box["known"], errors)
    address = setup_form.email(found, errors)
    setup_form = None
    memory.drop("setup_form")
    if errors:
        return 422, None, _shown(box, errors)
    box["plan"] = network + (address,)
    box["shows"] = "joining"
    return 303, b"/", None


def _shown(box, errors):
    """What page.render() takes."""
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
    return values, networks
