"""Takes the bytes of a file from an answer to the flash, judged by what really arrives."""

import json

from micropython import const

from flyve.registry import Failed
from flyve.transport import NetError

_BLOCK = const(4096)  # of littlefs, and of the one buffer
_BYTES = const("application/octet-stream")


def take(d, answer, first, length):
    """A job: takes what is new to the Delivery d out of the answer, (status, headers, socket), to
    a request for length bytes from first on; yields after each piece of at most 4 KiB.

    Raises Failed when it is of no use, EOFError when it is of another file than the JSON form;
    NetError when it breaks off."""
    status, headers, sock = answer
    d.buf = memoryview(bytearray(_BLOCK))
    d.base = d.have
    while d.have >= d.edge:
        _turn(d)
    try:
        at = _judge(d, status, headers, first, length)
        end = d.total if status == 200 else first + length
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
        if d.base < d.have or not d.total:
            _write(d)
        d.buf = None


def _judge(d, status, headers, first, length):
    """Which byte of our file the answer begins with."""
    kind = headers.get("content-type", _BYTES)
    for name in ("content-encoding", "transfer-encoding"):
        if headers.get(name, "identity") != "identity":
            kind = headers[name] + " data"
    if not kind.startswith(_BYTES):
        raise Failed("the server sends %s instead of the file" % kind)
    size = headers.get("content-length", "")
    at = 0
    place = headers.get("content-range", "").replace("-", " ").replace("/", " ").split()
    if len(place) == 4 and place[1].isdigit():
        at = int(place[1])
        size = place[3]  # the place's end may be one too many
    elif status != 200:
        if size != str(length):
            raise NetError("closed", "the server does not tell which part it sends")
        at = first
        size = "*"
    total = int(size) if size.isdigit() else d.total
    modified = headers.get("last-modified")
    known = d.journal.get("modified")
    if total != d.total or (modified and known and modified != known):
        raise EOFError("now %d bytes of %s" % (total, modified))
    if at > first:
        raise Failed("the server sends byte %d instead of %d" % (at, first))
    if not known:
        d.journal["modified"] = modified
        # Until its close the old content stays: a cut leaves the old journal or the new one.
        with open("/part.json", "w") as f:
            json.dump(d.journal, f)
    return at


def _write(d):
    """Takes the buffer to the flash."""
    data = d.buf[: d.have - d.base]
    if d.file is None:
        d.file = open("/part", "ab")
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
