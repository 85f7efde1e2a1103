"""A file on its way to the flash: what comes before and after, and the bytes of each answer,
judged by what really arrives. `d` is applying.py's Delivery."""

import binascii
import hashlib
import json
import os

from micropython import const

from flyve import log, memory, transport
from flyve.registry import Failed
from flyve.text import loads, read

_BLOCK = const(4096)  # of littlefs, and of the one buffer
_PART = const("/part")  # what has come so far
_JOURNAL = const("/part.json")  # of which file; made before the part and removed after it
_BYTES = const("application/octet-stream")


def discard():
    """Forgets a download that will not be continued."""
    from flyve.jobs import paths

    for path in [_JOURNAL, _PART]:
        if paths.size(path) >= 0:
            os.remove(path)


def begin(d):
    """A job: finds out how much there is of the file of the Delivery d; returns True when that is
    all of it and in its place. Raises Failed when it cannot be taken."""
    from flyve.jobs import paths

    d.path = d.place
    name = d.form.get("name")
    if d.place.endswith("/"):
        # What looks like a number was made one: then only the answer with the bytes has the name.
        d.path = d.place + paths.segment(name) if isinstance(name, str) else None
    file = [d.item, d.place, d.form]
    try:
        journal = loads(read(_JOURNAL, 8192))
        if journal["file"] != file:
            raise ValueError
        total = d.form.get("filesize", journal.get("total"))
        if d.path is None and journal.get("name"):
            d.path = d.place + paths.segment(journal["name"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError, Failed):
        journal = total = None
    part = paths.size(_PART)
    if journal is None or (part > 0 and (total is None or part > total)):
        discard()
        part = -1
        journal = {"file": file}
        total = d.form.get("filesize")
    d.journal = journal
    d.total = total  # None until the first answer tells
    d.hash = hashlib.sha256()
    d.have = d.requests = d.block = 0
    d.edge = _BLOCK
    if part > 0:
        log.info("download", "goes on at byte %d of %d", part, total)
        d.requests = 1
        buf = memoryview(bytearray(min(_BLOCK, part)))
        with open(_PART, "rb") as f:
            while d.have < part:
                n = f.readinto(buf)
                d.hash.update(buf[:n])
                d.have += n
                yield
    elif part and d.path and total == paths.size(d.path) and "sha256" in journal:
        # A cut came between the last two steps.
        _over(d)
        return True
    if total is not None:
        _check_room(total - d.have)


def _check_room(left):
    from flyve.jobs import paths

    size, count = paths.free()
    paths = None
    memory.drop("paths")
    # Each block of a file holds pointers too; directories and the journal need some.
    if left // (size - 8) + 5 > count:
        raise Failed("no space: %d bytes to come, %d free" % (left, size * count))


def take(d, answer, first, length):
    """A job: takes what is new to the Delivery d out of the answer, (status, headers, socket), to
    a request for length bytes from first on; yields after each piece of at most 4 KiB.

    Raises Failed when it is of no use, EOFError when it is of another file than the JSON form;
    NetError when it breaks off."""
    status, headers, sock = answer
    d.buf = None
    d.base = d.have
    while d.have >= d.edge:
        _turn(d)
    try:
        try:
            at = _judge(d, status, headers, first, length)
        finally:
            memory.drop("headers")
        size = min(_BLOCK, max(512, d.total - d.have))
        d.buf = memoryview(bytearray(size))  # in the place of what the judgement took
        end = d.total if status == 200 else min(d.total, first + length)
        while d.have < end:
            sock.extend(d.ms)
            # What is there already comes again and is read over; then block by block.
            stop = min(at + _BLOCK, d.have) if at < d.have else min(d.edge, end)
            while at < stop:
                used = d.have - d.base
                n = sock.readinto(d.buf[used : used + stop - at])
                if not n:
                    return
                at += n
                d.have = max(d.have, at)
            if d.have == d.edge:
                _write(d)
                _turn(d)
                if not d.block & 3:
                    d.file.flush()
            yield
    finally:
        sock.close()
        if d.buf and (d.base < d.have or d.total == 0):
            _write(d)
        d.buf = None


def _judge(d, status, headers, first, length):
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
            d.plain = True
            raise transport.NetError("closed", "the server does not tell which part it sends")
        at = first
        size = "*"
    total = int(size) if size.isdigit() else d.total
    if total is None:
        d.plain = True
        raise transport.NetError("closed", "the server does not tell the size of " + d.item)
    modified = headers.get("last-modified")
    known = d.journal.get("modified")
    name = d.journal.get("name")
    if d.path is None or name:
        name = parse.file_name(headers.get("content-disposition", "")) or name
    changed = modified and known and not parse.same_time(modified, known)
    if d.path is None:
        if not name:
            raise Failed("the server does not tell the file's name: give it one with a letter")
        from flyve.jobs import paths

        d.path = d.place + paths.segment(name)
    elif name != d.journal.get("name"):
        raise EOFError("its name is another")
    if d.total is None:
        _check_room(total)
        d.total = total
    if total != d.total or changed:
        raise EOFError("now %d bytes of %s" % (total, modified))
    if at > first:
        raise Failed("the server sends byte %d instead of %d" % (at, first))
    learned = d.journal.copy()
    learned.update(total=total, modified=known or modified, name=name)
    if learned != d.journal:
        d.journal = learned
        _note(d)
    return at


def _write(d):
    """Takes the buffer to the flash."""
    data = d.buf[: d.have - d.base]
    if d.file is None:
        d.file = open(_PART, "ab")
    d.hash.update(data)
    d.file.write(data)
    d.base = d.have


def _turn(d):
    """Moves the edge on, to the end of the next block of littlefs: only from there it goes on
    without a copy of what was flushed. Block i begins with as many pointers as i has zero bits at
    its end, and one."""
    d.block = i = d.block + 1
    d.edge += _BLOCK - 4
    while not i & 1:
        d.edge -= 4
        i >>= 1


def end(d):
    """A job: puts the whole file in the place of the old one, by one rename."""
    d.journal["sha256"] = binascii.hexlify(d.hash.digest()).decode()
    _note(d)
    yield
    from flyve.jobs import paths

    paths.mkdirs(d.path)
    os.rename(_PART, d.path)
    _over(d)


def _over(d):
    os.remove(_JOURNAL)
    done = d.path, d.total, d.journal["sha256"]
    log.info("download", "done path=%s bytes=%d sha256=%s", *done)


def _note(d):
    # Until its close the old content stays: a cut leaves the old journal or the new one.
    with open(_JOURNAL, "w") as f:
        json.dump(d.journal, f)
