"""Where in a text a link begins."""

from micropython import const

_SCHEMES = const((b"http", b"https", b"flyve"))
_COLONS = const((b"://", b"%3a", b"%253a", b"%25253a"))


def first(data, start):
    """(place, whether escaped) of the first link from start on; (-1, False) if there is none."""
    low = data.lower()
    best = -1
    escaped = False
    for scheme in _SCHEMES:
        for colon in _COLONS:
            at = low.find(scheme + colon, start)
            if at >= 0 and not 0 <= best <= at:
                best = at
                escaped = colon != b"://"
    return best, escaped
