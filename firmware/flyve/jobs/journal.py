"""What there is of a file that comes, by the journal of its download: before its first byte and
after its last one. `part`: see delivery_steps.py."""

import binascii
import hashlib
import os

from micropython import const

from flyve import log, memory
from flyve.jobs import files, paths
from flyve.registry import Failed

_BLOCK = const(4096)  # of littlefs, and of an OTA partition
_BUFFER = const(2048)
_JOURNAL = const("/part.json")  # of which file; made before paths.part(), removed after it
_NOTE = const("/part.slot")  # how much of it is in an OTA partition instead; slot.py has it
_BEGIN = const(1)  # of the steps in delivery_steps.py


def _there(path):
    # mutants: an empty part or journal that stays is as good as none, a note is never empty
    return files.size(path) >= 0


def discard(place):
    """Forgets a download that will not be continued, and one for that place."""
    for path in [paths.part(place), paths.part(paths.coming()), _JOURNAL]:
        if _there(path):
            os.remove(path)
    if _there(_NOTE):
        from flyve.jobs import slot

        slot.discard()


def work(part):
    """A job: the step at hand."""
    if part["step"] == _BEGIN:
        part["there"] = bool((yield from begin(part)))
    else:
        yield from end(part)


def begin(part):
    """A job: finds out how much there is of the file; returns True when that is all of it and in
    its place. Raises Failed when it cannot be taken."""
    from flyve.jobs import texts

    part["path"] = part["place"]
    name = part["form"].get("name")
    if part["place"].endswith("/"):
        # What looks like a number was made one: then only the answer with the bytes has the name.
        part["path"] = part["place"] + paths.segment(name) if isinstance(name, str) else None
    file = [part["item"], part["place"], part["form"]]
    try:
        journal = texts.loads(texts.read(_JOURNAL, 8192))
        if journal["file"] != file:
            raise ValueError
        total = part["form"].get("filesize", journal.get("total"))
        if part["path"] is None and journal.get("name"):
            part["path"] = part["place"] + paths.segment(journal["name"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError, Failed):
        journal = total = None
    texts = None  # mutants: it is in memory a little longer
    memory.drop("texts")
    source = paths.part(part["place"])
    size = files.size(source)
    if journal is None or (size > 0 and (total is None or size > total)):
        discard(part["place"])
        size = -1
        journal = {"file": file}
        total = part["form"].get("filesize")
    part["journal"] = journal
    part["total"] = total  # None until the first answer tells
    part["hash"] = hashlib.sha256()
    part["have"] = part["block"] = 0
    part["edge"] = _BLOCK
    part["slot"] = None
    if _there(_NOTE):
        from flyve.jobs import slot

        yield from slot.resume(part)
    # mutants: nothing is read of an empty part; the JSON form is asked for once more
    elif size > 0:
        log.info("download", "goes on at byte %d of %d", size, total)
        yield from _read(part, source, size)
    elif size and part["path"] and total == files.size(part["path"]) and "sha256" in journal:
        # A cut came between the last two steps, or while another file's part was discarded.
        yield from _read(part, part["path"], total)
        if journal["sha256"] == _digest(part):
            _over(part)
            return True
        discard(part["place"])
        part["journal"] = {"file": file}
        part["hash"] = hashlib.sha256()
        part["have"] = 0
    part["base"] = part["have"]
    # Until the first byte tells whether it is a firmware image nobody knows where it goes.
    if total is not None and not part["slot"] and (part["have"] or not part["firmware"]):
        files.check_room(total - part["have"])


def _read(part, path, size):
    """A job: takes what is there already into the hash."""
    buf = memoryview(bytearray(min(_BUFFER, size)))
    with open(path, "rb") as f:
        while part["have"] < size:
            n = f.readinto(buf)
            part["hash"].update(buf[:n])
            part["have"] += n
            yield


def _digest(part):
    return binascii.hexlify(part["hash"].digest()).decode()


def end(part):
    """A job: puts the whole file in the place of the old one, by one rename; of an image, finds
    out that it is whole."""
    if part["slot"]:
        from flyve.jobs import slot

        yield from slot.end(part)
        return
    part["journal"]["sha256"] = _digest(part)
    files.keep(_JOURNAL, part["journal"])
    yield
    os.rename(paths.part(part["place"]), part["path"])
    _over(part)


def _over(part):
    os.remove(_JOURNAL)
    done = part["path"], part["total"], part["journal"]["sha256"]
    log.info("download", "done path=%s bytes=%d sha256=%s", *done)
