"""Where on the flash files may go."""

from micropython import const

from flyve import memory
from flyve.jobs import files
from flyve.registry import Failed

ROOTS = {
    "SDCARD": "/files",
    "DOCUMENTS": "/files/documents",
    "PHOTOS": "/files/photos",
    "MUSIC": "/files/music",
}
_JOURNAL = const("/part.json")  # of which file what has come so far is
_LONGEST = const(160)


def segment(name):
    """The name, if it can be a file's name; raises Failed."""
    # In littlefs a name has at most 255 bytes.
    refused = name in ["", ".", ".."] or len(name) > 64 or len(name.encode()) > 255
    for c in "/\\%\0\r\n":
        refused = refused or c in name
    if refused:
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
    for root in roots.values():
        if place.startswith(root + "/"):
            break
    else:
        raise Failed("path outside the roots")
    parts = place[1:].split("/")
    for part in parts[:-1] if place.endswith("/") else parts:
        segment(part)
    return place


def part(place):
    """Where the file for a place is while it comes: in the same folder, for a cut while littlefs
    moves a file into another one hides the next file, or loses it. segment() refuses the name."""
    return place[: place.rfind("/") + 1] + "%part"


def coming():
    """The place of the file that comes, "/" when none does."""
    if files.size(_JOURNAL) < 0:  # mutants: else texts would come for nothing
        return "/"  # mutants: else texts would come for nothing
    try:
        from flyve.jobs import texts

        return texts.loads(texts.read(_JOURNAL, 8192))["file"][1] + ""
    except (OSError, ValueError, TypeError, LookupError):
        return "/"
    finally:
        texts = None
        memory.drop("texts")
