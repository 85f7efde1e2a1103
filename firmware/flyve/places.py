"""Where files from the network may go: the roots of the settings, and nothing outside them."""

from flyve.registry import Failed

ROOTS = {
    "SDCARD": "/files",
    "DOCUMENTS": "/files/documents",
    "PHOTOS": "/files/photos",
    "MUSIC": "/files/music",
}
_LONGEST = 160


def segment(name):
    """The name, if it can be a file's name; raises Failed."""
    if not name or name in (".", "..") or len(name) > 64 or any(c in name for c in "/\\%\0\r\n"):
        raise Failed("refused file name")
    return name


def resolve(place, roots=None):
    """The full path that place (e.g. "%SDCARD%/dir/") stands for, with its trailing slash, if it
    has one; raises Failed for an unknown root, a traversal, or a path outside all roots."""
    roots = roots or ROOTS
    if place.startswith("%"):
        name, percent, rest = place[1:].partition("%")
        root = roots.get(name) if percent else None
        if root is None:
            raise Failed("unknown root in " + place[:64])
        if not rest.startswith("/"):
            raise Failed("refused path")
        place = root + rest
    if len(place) > _LONGEST:
        raise Failed("path too long")
    if not any(place.startswith(root + "/") for root in roots.values()):
        raise Failed("path outside the roots")
    parts = place[1:].split("/")
    for part in parts[:-1] if place.endswith("/") else parts:
        segment(part)
    return place
