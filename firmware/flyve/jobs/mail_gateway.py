"""A link of a mail gateway, which looks into it first -> the link that was sent."""

import binascii

from micropython import const

from flyve.jobs import escapes, link_place

_DIGITS = const(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def inside(data):
    """The link inside that link (bytes), None when there is none."""
    low = data[:80].lower()
    if b"://urldefense" in low:
        if b"/v3/__" in low:
            return _third(data)
        if b"/v2/" in low:
            value = _parameter(data, b"u")
            if value:
                return escapes.decode(value.replace(b"-", b"%").replace(b"_", b"/"), b"%")
    at, escaped = link_place.first(data, 0)
    if at == 0 and not escaped:
        at, escaped = link_place.first(data, 5)  # mutants: the next one comes later
        if at > 0 and data[at - 1] not in b"=/&?":
            at = -1
    if at >= 0:
        data = data[at:]
        return escapes.decode(data.split(b"&")[0], b"%") if escaped else data
    if b"data%" in data:
        return escapes.decode(data.split(b"&")[0], b"%")
    for name in (b"u", b"url", b"q"):
        value = _parameter(data, name)
        try:
            if value:
                value = (
                    escapes.decode(value, b"%")
                    .replace(b"-", b"+")
                    .replace(b"_", b"/")
                    .rstrip(b"=")
                )
                value = binascii.a2b_base64(value + b"=" * (-len(value) % 4))
                if link_place.first(value, 0)[0] == 0:
                    return value
        except ValueError:
            pass
    return None


def _parameter(data, name):
    """The value of a parameter, None when it is not there."""
    for part in data.partition(b"?")[2].split(b"&"):
        key, _, value = part.partition(b"=")
        if key == name:
            return value
    return None


def _third(data):
    """What a link of the form /v3/__<link>__;<what its stars stand for>!... was."""
    data = data[data.find(b"/v3/__") + 6 :]
    at = data.rfind(b"__;")
    if at < 0:
        return None
    link = data[:at]
    stars = data[at + 3 :].split(b"!")[0].replace(b"-", b"+").replace(b"_", b"/")
    try:
        stars = binascii.a2b_base64(stars + b"=" * (-len(stars) % 4))
    except ValueError:
        return None
    parts = link.split(b"*")
    out = [parts[0]]
    i = 1
    while i < len(parts):
        part = parts[i]
        count = 1
        if not part and i + 1 < len(parts) and parts[i + 1]:
            # Two stars and a digit: a run of them.
            i += 1
            part = parts[i]
            count = _DIGITS.find(part[:1]) + 2
            part = part[1:]
        out.append(stars[:count])
        stars = stars[count:]
        out.append(part)
        i += 1
    link = b"".join(out)
    if b"://" not in link:
        link = link.replace(b":/", b"://", 1)
    return link
