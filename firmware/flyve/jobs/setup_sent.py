"""What follows when a person has pressed the page's button."""

from micropython import const

from flyve import log
from flyve.jobs import setup_form

_BODY = const(3)
_SHOWN = const(128)  # characters of what was typed
_MISSING = const(
    "Paste the invitation's link, or open it on this phone while it is in this network."
)
_ANOTHER = const(
    "The invitation is another one, or the board has started anew since: look through it, and "
    "send again."
)


def answer(box, request, wrong):
    """As setup_page.answer(), for a form; its body goes once it is read."""
    if box["plan"]:
        return 303, b"/", None
    if wrong is None:
        box["asked"] = log.uptime()
        found = setup_form.fields(request[_BODY])
        request[_BODY] = None
        if found["form"] != box["form"]:
            return 403, None, {"ssid_error": _ANOTHER}
        for name in ("ssid", "other", "email"):
            box["typed"][name] = log.plain(found[name][:_SHOWN])
        link = found.pop("link")
        box["sent"] = found
        if link:
            return None, link, None
        wrong = ""
        if not box["link"] and not box["invited"]:
            wrong = _MISSING
    found = box.pop("sent")
    errors = {"link_error": wrong} if wrong else {}
    network = setup_form.network(found, box["networks"], box["known"], errors)
    address = setup_form.email(found, errors)
    if errors:
        return 422, None, errors
    box["plan"] = network + (address,)
    box["shows"] = "joining"
    return 303, b"/", None
