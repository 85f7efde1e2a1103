"""What a person has sent from the page: checked, and what is wrong with each field."""

from micropython import const

from flyve import log
from flyve.jobs import escapes

_FIELDS = ("ssid", "other", "psk", "link", "email", "form")
_ADDRESS = const(128)  # characters, as config.py has it
_HEX = "0123456789abcdefABCDEF"


def fields(body):
    """The fields of a form, all text, "" for those that are not there or no UTF-8; but the link,
    which may be long, as bytes."""
    found = dict.fromkeys(_FIELDS, "")
    end = -1
    while end < len(body):
        at = end + 1
        end = body.find(b"&", at)
        if end < 0:
            end = len(body)
        for known in _FIELDS:
            start = at + len(known) + 1
            if start <= end and body[at:start] == known.encode() + b"=":
                value = escapes.decode(body[start:end].replace(b"+", b" "), b"%")
                try:
                    value = value if known == "link" else value.decode()
                except UnicodeError:
                    value = ""
                # A network's name and its passphrase may begin or end with blanks.
                found[known] = value if known in ["ssid", "psk"] else value.strip()
    if found["ssid"]:
        found["other"] = ""  # it was typed before another one was chosen
    return found


def network(found, heard, known, errors):
    """(name, passphrase) of the network that was chosen, or typed. heard: as the page lists them;
    known: pairs, from which comes a passphrase that was not typed anew. errors takes what is
    wrong, by the names of the page."""
    ssid = found["ssid"] or found["other"]
    psk = found["psk"]
    locked = None
    for one in heard:
        if one[0] == ssid:
            locked = one[2]
    if not ssid:
        errors["ssid_error"] = "Choose a network, or type its name."
    elif len(ssid.encode()) > 32:
        errors["ssid_error"] = "A network's name has at most 32 bytes: correct it."
    elif log.plain(ssid) != ssid:
        errors["ssid_error"] = "No control characters, please: type the name anew."
    if locked is False:
        if psk:
            # Perhaps it is only called like the one that is meant.
            errors["psk_error"] = "This network takes no passphrase: leave it empty to join it."
        psk = ""
    elif not psk:
        for one in known:
            if one[0] == ssid:
                psk = one[1] or ""
        if locked and not psk:
            errors["psk_error"] = "This network has a passphrase: type it."
    size = len(psk.encode())
    if psk and not 8 <= size <= 64:
        errors["psk_error"] = "A passphrase has 8 to 63 characters: type it anew."
    elif size == 64 and [c for c in psk if c not in _HEX]:
        errors["psk_error"] = "A passphrase has at most 63 characters: type it anew."
    elif log.plain(psk) != psk:
        errors["psk_error"] = "No control characters, please: type the passphrase anew."
    return ssid, psk


def email(found, errors):
    """The address, "" when there is none."""
    value = found["email"]
    name, at, host = value.partition("@")
    good = name and at and host and len(value) <= _ADDRESS and " " not in value
    if value and (not good or log.plain(value) != value):
        errors["email_error"] = "An address looks like name@example.org: correct it."
    return value
