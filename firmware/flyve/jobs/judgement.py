"""Whether the answer to a request for a part of a file has that part. `part`: see
delivery_steps.py."""

from micropython import const

from flyve import transport
from flyve.jobs import headers as parse
from flyve.registry import Failed

_JOURNAL = const("/part.json")  # journal.py has it
_BYTES = const("application/octet-stream")


def judge(part, undecided, status, headers, first, length):
    """Which byte of our file the answer begins with. undecided: whether the file goes to the
    flash is not known. Raises what download.take() does."""
    coding = parse.coding(headers)
    kind = coding + " data" if coding else parse.bare(headers.get("content-type", "")) or _BYTES
    if kind != _BYTES:
        # Not the backend's word: a gateway's page, or its way with what passes it.
        text = "the server sends %s instead of the file" % kind
        raise transport.NetError("closed", text)
    size = headers.get("content-length", "")
    at = 0
    place = headers.get("content-range", "").replace("-", " ").replace("/", " ").split()
    if len(place) == 4 and place[1].isdigit():
        at = int(place[1])
        size = place[3]  # the place's end may be one too many
    elif status != 200:
        if size != str(length):
            part["plain"] = True
            raise transport.NetError("closed", "the server does not tell which part it sends")
        at = first
        size = "*"
    total = int(size) if size.isdigit() else part["total"]
    if total is None:
        part["plain"] = True
        raise transport.NetError("closed", "the server does not tell the size of " + part["item"])
    modified = headers.get("last-modified")
    known = part["journal"].get("modified")
    name = part["journal"].get("name")
    if part["path"] is None or name:
        name = parse.file_name(headers.get("content-disposition", "")) or name
    changed = modified and known and not parse.same_time(modified, known)
    if part["path"] is None:
        if not name:
            raise Failed("the server does not tell the file's name: give it one with a letter")
        part["path"] = part["place"] + _segment(name)
    elif name != part["journal"].get("name"):
        raise EOFError("its name is another")
    if part["total"] is None:
        if not undecided:
            _check_room(total)
        part["total"] = total
    if total != part["total"] or changed:
        raise EOFError("now %d bytes of %s" % (total, modified))
    if at > first:
        raise Failed("the server sends byte %d instead of %d" % (at, first))
    learned = part["journal"].copy()
    for key, value in (("total", total), ("modified", known or modified), ("name", name)):
        if value is not None:
            learned[key] = value
    if learned != part["journal"]:
        part["journal"] = learned
        _keep(learned)
    return at


# Each in a frame of its own: what a frame names stays in memory as long as that.


def _segment(name):
    from flyve.jobs import paths

    return paths.segment(name)


def _check_room(total):
    from flyve.jobs import files

    files.check_room(total)


def _keep(learned):
    from flyve.jobs import files

    files.keep(_JOURNAL, learned)
