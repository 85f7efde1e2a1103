"""Invitation text -> Invitation: every form that the backend and its apps ever used.

What reads a link and what mends one that a mail program has changed are never in memory together.
"""

from collections import namedtuple

from micropython import const

from flyve import memory

LIMIT = const(16384)  # bytes of a deeplink, all that is around it included
# The backend's fields have 255 characters of up to 4 bytes, and base64 makes 4 of 3: 9.5 KiB, in
# the JSON of 2017 with its escapes 11 KiB; a mail's own escapes and a gateway's link come on top.
_DEPTH = const(5)  # links inside links
_NONE = const(
    "no invitation in it; copy the whole link, or, if a mail gateway has replaced it, open it and "
    "copy the address that it leads to"
)


class DeeplinkError(ValueError):
    """A deeplink that cannot be used; the text says what is wrong with it, without its tokens."""


# What an administrator's invitation carries, all str; the helpdesk's name, phone, website and
# email are "" when the administrator left them out. A namedtuple keeps no hold on this module,
# which can be dropped from RAM while an Invitation is in use.
Invitation = namedtuple(
    "Invitation",
    ("url", "user_token", "invitation_token", "name", "phone", "website", "email"),
)


def _read(link):
    """The fields in a link, None when there are none. Raises ValueError."""
    try:
        from flyve.jobs import link_fields

        fields = link_fields.read(link)
    finally:
        link_fields = None
        memory.drop("link_fields", "texts")
    if fields:
        _check(fields)
    return fields


def _check(fields):
    try:
        from flyve.jobs import link_checks

        link_checks.check(fields)
    finally:
        link_checks = None
        memory.drop("link_checks")


def _following(link, turn):
    """(the link to be tried after that one, how many were looked for): that one mended, then the
    link inside it; None when there is no more. turn: 0 for a link as it came."""
    before = link
    while turn < _DEPTH and link == before:
        link = _inside(link) if turn else _mended(link)
        turn += 1
    return None if link == before else link, turn


def _mended(link):
    try:
        from flyve.jobs import mailed

        return mailed.mended(link)
    finally:
        mailed = None
        memory.drop("mailed")


def _inside(link):
    try:
        from flyve.jobs import mail_gateway

        return mail_gateway.inside(link)
    finally:
        mail_gateway = None
        memory.drop("mail_gateway")


def parse(text):
    """Reads an invitation's deeplink (str or bytes, at most 16 KiB) and returns an Invitation.

    Accepts `<url>?data=<base64>`, `flyve://register?data=<base64>`, `<url>/<base64>` and the bare
    base64, in the standard or the URL-safe alphabet, padded or not, in quotes, in the escapes of a
    mail, and inside the link of a gateway; the fields are joined by `\\;` (the real backend), by
    `;` (its documentation) or are a JSON object (before 2017-07-19). Raises DeeplinkError.
    """
    if isinstance(text, str):
        text = text.encode()
    if len(text) > LIMIT:
        raise DeeplinkError("longer than %d characters; ask for a new invitation" % LIMIT)
    link = text.strip()
    if not link:
        raise DeeplinkError("empty: provision a deeplink")
    why = ""
    turn = 0
    while link is not None:
        try:
            fields = _read(link)
            if fields:
                return Invitation(*fields)
        except ValueError as e:
            why = str(e)
        link, turn = _following(link, turn)
    try:
        text.decode()
    except UnicodeError:
        why = "not text: provision the deeplink again"
    raise DeeplinkError(why or _NONE)
