"""A file on its way to the flash: what comes before and after, and the bytes of each answer,
judged by what really arrives. `part`: see delivery_steps.py."""

import binascii
import hashlib
import json
import os

from micropython import const

from flyve import log, memory, transport
from flyve.registry import Failed

_BLOCK = const(4096)  # of littlefs, and of an OTA partition
_BUFFER = const(2048)
_LEAST = const(512)  # that tell whether it is a firmware image
_JOURNAL = const("/part.json")  # of which file; made before paths.part(), removed after it
_NOTE = const("/part.slot")  # how much of it is in an OTA partition instead; slot.py has it
_BEGIN = const(1)  # of the steps in delivery_steps.py
_TAKE = const(2)
_END = const(4)
_BYTES = const("application/octet-stream")


def _there(path):
    from flyve.jobs import paths

    # mutants: an empty part or journal that stays is as good as none, a note is never empty
    return paths.size(path) >= 0


def discard(place):
    """Forgets a download that will not be continued, and one for that place."""
    from flyve.jobs import paths

    for path in [paths.part(place), paths.part(paths.coming()), _JOURNAL]:
        if _there(path):
            os.remove(path)
    if _there(_NOTE):
        from flyve.jobs import slot

        slot.discard()


def work(part, answer):
    """A job: the step at hand, and the last one with it when all has come in one answer."""
    if part["step"] == _BEGIN:
        part["there"] = bool((yield from begin(part)))
        return
    if part["step"] == _TAKE:
        yield from take(part, answer, part["first"], part["length"], part["ms"])
        # Several answers may be of several versions: delivery_steps.py compares first.
        if part["requests"] > 1 or part["have"] != part["total"]:
            return
        if part["file"]:
            part["file"].close()
            part["file"] = None
        part["step"] = _END
    yield from end(part)


def begin(part):
    """A job: finds out how much there is of the file; returns True when that is all of it and in
    its place. Raises Failed when it cannot be taken."""
    from flyve.jobs import paths, texts

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
    size = paths.size(source)
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
    elif size and part["path"] and total == paths.size(part["path"]) and "sha256" in journal:
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
    if total is not None and not part["slot"] and not _undecided(part):
        _check_room(total - part["have"])


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


def _undecided(part):
    """True until the first byte tells whether it is a firmware image."""
    return part["firmware"] and not part["base"] and not part["slot"]


def _check_room(left):
    from flyve.jobs import paths

    size, count, _ = paths.free()
    paths = None
    memory.drop("paths")
    # Each block of a file holds pointers too; directories and the journal need some.
    if left // (size - 8) + 5 > count:  # mutants: a margin of a block more or less
        raise Failed("no space: %d bytes to come, %d free" % (left, size * count))


def take(part, answer, first, length, ms):
    """A job: takes what is new out of the answer, (status, headers, socket), to a request for
    length bytes from first on, each piece within ms; yields after each of at most 4 KiB.

    Raises Failed or Incompatible when it is of no use, EOFError when it is of another file than
    the JSON form; NetError when it breaks off."""
    status, headers, sock = answer
    part["buf"] = None
    part["base"] = part["have"]
    # mutants: the loop below moves on from a reached edge, with an empty write
    while part["have"] >= part["edge"]:
        _turn(part)
    try:
        try:
            at = _judge(part, status, headers, first, length)
        finally:
            memory.drop("headers")
        # In the place of what the judgement took.
        buf = part["buf"] = _buffer(part["total"] - part["have"])
        size = len(buf)
        end = part["total"] if status == 200 else min(part["total"], first + length)
        while part["have"] < end:
            sock.extend(ms)
            # What is there already comes again and is read over; then block by block.
            if at < part["have"]:
                stop = min(at + size, part["have"])
            else:
                stop = min(part["base"] + size, part["edge"], end)
            while at < stop:
                used = part["have"] - part["base"]
                n = sock.readinto(buf[used : used + stop - at])
                if not n:
                    return
                at += n
                part["have"] = max(part["have"], at)
            used = part["have"] - part["base"]
            if used == size or part["have"] == part["edge"]:
                _write(part)
            if part["have"] == part["edge"]:
                _turn(part)
                # mutants: flushed as often or oftener: a cut costs no more; make bench shows it
                if not part["block"] & 3:
                    _flush(part)
            yield
    finally:
        sock.close()  # mutants: the collector closes it at once: memory.drop() runs it
        # mutants: an empty write
        if part["buf"] and (part["base"] < part["have"] or part["total"] == 0):
            _write(part)
        part["buf"] = None  # mutants: the buffer goes a little later
        if part["slot"]:
            _flush(part)


def _buffer(left):
    """A buffer for so many bytes that are to come, as large as there is room for in one piece."""
    # mutants: with a smaller buffer it is slower, not wrong
    size = min(_BUFFER, max(_LEAST, (left + 15) & ~15))
    while True:
        try:
            return memoryview(bytearray(size))
        except MemoryError:
            if size == _LEAST:
                raise
            size = max(_LEAST, size // 2 & ~15)


def _judge(part, status, headers, first, length):
    """Which byte of our file the answer begins with."""
    from flyve.jobs import headers as parse

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
        from flyve.jobs import paths

        part["path"] = part["place"] + paths.segment(name)
    elif name != part["journal"].get("name"):
        raise EOFError("its name is another")
    if part["total"] is None:
        if not _undecided(part):
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
        _note(part)
    return at


def _write(part):
    """Takes the buffer to the flash; what of it is not taken has to come again."""
    data = part["buf"][: part["have"] - part["base"]]
    if _undecided(part):
        if data[:1] != b"\xe9":
            _check_room(part["total"])
        elif len(data) < min(_LEAST, part["total"]):
            part["have"] = 0  # too little to judge by
            return
        else:
            found = _check_image(part, data)
            memory.drop("slot", "board_facts")
            _give_up_image()
            memory.drop("update")
            part["slot"] = found
    if part["slot"]:
        from flyve.jobs import slot

        data = data[: slot.write(part, data)]
    else:
        if part["file"] is None:
            part["file"] = _open(part["place"])
            memory.drop("paths")
        part["file"].write(data)
    part["hash"].update(data)
    part["base"] += len(data)
    part["have"] = part["base"]


# Each in a frame of its own: what a frame names stays in memory as long as that.


def _open(place):
    from flyve.jobs import paths

    path = paths.part(place)
    paths.mkdirs(path)
    return open(path, "ab")


def _check_image(part, head):
    from flyve.jobs import slot

    return slot.check(part, head)


def _give_up_image():
    from flyve.jobs import update

    update.give_up_image()


def _flush(part):
    """Makes durable what is there, and how much that is."""
    if part["slot"]:
        from flyve.jobs import slot

        slot.note(part)
    else:
        part["file"].flush()


def _turn(part):
    """Moves the edge on, to the end of the next block: only from there littlefs goes on without a
    copy of what was flushed. Its block i begins with as many pointers as i has zero bits at its
    end, and one."""
    part["block"] = i = part["block"] + 1  # mutants: -n ends with as many zero bits as n
    if part["slot"]:
        part["edge"] += _BLOCK
        return
    # mutants: a few bytes in the next block, which is not copied for them
    part["edge"] += _BLOCK - 4
    while not i & 1:  # mutants: blocks with many pointers are rare: hardly more writes
        part["edge"] -= 4  # mutants: blocks with many pointers are rare: hardly more writes
        i >>= 1


def end(part):
    """A job: puts the whole file in the place of the old one, by one rename; of an image, finds
    out that it is whole."""
    if part["slot"]:
        from flyve.jobs import slot

        yield from slot.end(part)
        return
    part["journal"]["sha256"] = _digest(part)
    _note(part)
    yield
    from flyve.jobs import paths

    os.rename(paths.part(part["place"]), part["path"])
    _over(part)


def _over(part):
    os.remove(_JOURNAL)
    done = part["path"], part["total"], part["journal"]["sha256"]
    log.info("download", "done path=%s bytes=%d sha256=%s", *done)


def _note(part):
    # Until its close the old content stays: a cut leaves the old journal or the new one. No byte
    # is there for the eye: each piece of 32 bytes is a write of the flash.
    with open(_JOURNAL, "w") as f:
        json.dump(part["journal"], f, separators=(",", ":"))
