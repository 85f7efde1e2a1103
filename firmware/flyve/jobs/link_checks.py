"""Whether an agent can use the fields of an invitation: its URL, its tokens."""

from micropython import const

_CUT = const(": the link was cut or altered; copy it again")
_NEW = const("; ask for a new invitation")


def check(fields):
    """Puts the URL into the agent's form. fields: the texts of deeplink.Invitation, a list. Raises
    ValueError: the text says what is wrong, without the tokens."""
    fields[0] = _address(fields[0])
    for name, value in zip(("user_token", "invitation_token"), fields[1:]):
        if not value or [c for c in value if not " " < c < "\x7f" or c == "\\"]:
            raise ValueError("no whole %s in it" % name + _CUT)


def _address(url):
    """The API's URL as the agent uses it: its scheme in lower case, without a slash at its end."""
    scheme, colon, rest = url.partition("://")
    scheme = scheme.lower()
    if not colon or scheme not in ("http", "https"):
        raise ValueError("its URL is not http(s)" + _NEW)
    place = rest.split("/")[0]
    host, colon, port = place.partition(":")
    what = ""
    if "@" in rest:
        what = "a user or password in it: take them out"
    elif "[" in place or ":" in port:
        what = "an IPv6 address: give the server a name"
    elif not host:
        what = "no host"
    elif colon and not (port.isdigit() and len(port) < 6 and 0 < int(port) < 65536):
        what = "a port that is no number of 1 to 65535"
    for c in rest:
        if not " " < c < "\x7f" or c in '\\?#<>"':
            what = what or "a character that does not belong there"
    for c in host:
        if not (c.isalpha() or c.isdigit() or c in ".-_"):
            what = what or "a character that no host name has"
    if what:
        raise ValueError("its URL has " + what + _NEW)
    return scheme + "://" + rest.rstrip("/")
