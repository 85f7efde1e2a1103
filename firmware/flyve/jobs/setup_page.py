"""What a request of a phone gets, from what setup.py knows: `box`, plain data."""

from micropython import const

from flyve import log

_OWN = ("192.168.4.1", "127.0.0.1")  # the second: a virtual board's
_HOME = b"http://192.168.4.1/"
_SIGNS = (b"data=", b"data%3", b"/aHR0", b"/eyJ", b"deeplink")  # of an invitation's link
_REFRESH = const("3")  # seconds


def answer(box, request, wrong):
    """(status, where a redirect leads or None, errors for shown() or None); (None, link, None)
    when a link is to be read first, (None, None, None) when a form has come. request: method,
    target, host and body; wrong: what is wrong with the link, "" when nothing is, None before."""
    method, target, host, _ = request
    path = target.split(b"?")[0]
    own = host in _OWN
    home = b"/" if own else _HOME
    if method == "POST":
        if not own:
            return 403, None, None
        return None if path == b"/" else 404, None, None
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
    if method != "GET":
        return 200, None, {}
    box["asked"] = log.uptime()
    errors, box["errors"] = box["errors"], {}
    return 200, None, errors


def shown(box, errors):
    """What page.render() takes, but for the networks."""
    shows = box["shows"]
    typed = box["typed"]
    values = {
        shows: True,
        "invited": bool(box["link"] or box["invited"]),
        "refresh": _REFRESH if shows == "joining" else "",
    }
    for name in ("network", "serial", "form", "why", "todo", "helpdesk", "contact", "backend"):
        values[name] = box[name]
    values.update(typed)
    values.update(errors)
    values["chosen"] = typed["ssid"]
    values["ssid"] = typed["ssid"] or typed["other"]
    return values
