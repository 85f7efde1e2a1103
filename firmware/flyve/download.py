"""Resumable download of a file to the flash, in Range requests, judged by what really arrives.

The backend loses the last byte of every answer whose length is 1 modulo 16384, answers 200 where
a part was asked for, and never 416: so lengths are chosen, counted and repaired here.
"""

import json

from micropython import const

from flyve import log, rest
from flyve.registry import Failed
from flyve.transport import NetError

_BLOCK = const(4096)  # of littlefs, and of the one buffer
_LOST = const(16384)  # the backend reads its files by so much
_FIRST = const(262144)
_SMALLEST = const(8192)
_LARGEST = const(4194304)
_PROGRESS = const(256)  # bytes that make a request worth while
_TRIES = const(4)  # requests that were not, in a row
_BYTES = const("application/octet-stream")


def run(d):
    """A job: requests one part after the other until all of the Delivery d is there, from byte
    d.have on; yields after each piece of at most 4 KiB.

    Raises Failed when it cannot be had, EOFError when it is no longer the file of the JSON form;
    NetError and RestError when it may go on later: all that came is durable then."""
    d.buf = memoryview(bytearray(_BLOCK))
    d.file = None
    d.base = d.have
    d.edge = _BLOCK
    d.block = 0
    d.size = d.chunk or _FIRST
    while d.have >= d.edge:
        _turn(d)
    misses = 0
    try:
        while d.have < d.total or not d.requests:
            before = d.have
            failure = None
            try:
                yield from _request(d)
            except (NetError, rest.RestError) as e:
                status = getattr(e, "status", 0)
                if status == 416:
                    raise EOFError("it ends before byte %d" % before)
                if status == 404:
                    raise Failed("the server has lost " + d.item)
                # Below 100: the status line itself was cut.
                if 100 <= status < 500 or getattr(e, "kind", 0) == "moved":
                    raise
                failure = e
                log.debug("download", "%s at byte %d", e, d.have)
            misses += 1
            if d.have - before >= _PROGRESS or d.have == d.total:
                misses = 0
            elif misses == _TRIES:
                text = "the server does not send byte %d of %d"
                raise failure or Failed(text % (d.have, d.total))
            yield
        if not d.total:
            _write(d)
    except Exception as e:
        if not isinstance(e, (NetError, rest.RestError)):
            d.base = d.have  # what is in the buffer is of no use
        raise
    finally:
        if d.base < d.have:
            _write(d)
        if d.file:
            d.file.close()
        d.buf = d.file = None


def _request(d):
    """Takes what one answer brings."""
    d.requests += 1
    first = d.have
    left = d.total - first
    length = min(d.size, left)
    if left == 1 and first:
        first -= 1
        length = 2
    while length > 1 and (length % _LOST == 1 or left - length == 1):
        length -= 1
    end = first + length
    headers = {"Accept": _BYTES}
    if length:
        headers["Range"] = "bytes=%d-%d" % (first, end - 1)
    size = d.size
    d.size = d.chunk or max(_SMALLEST, size // 2)
    answer = d.api.stream(d.item, headers, 2 * d.ms)
    try:
        at = _judge(d, answer, first, length)
        if answer.status_code == 200:
            end = d.total
        sock = answer.raw
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
            yield
    finally:
        answer.close()
    d.size = d.chunk or min(_LARGEST, size * 2)


def _judge(d, answer, first, length):
    """Which byte of our file the answer begins with."""
    headers = answer.headers
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
    elif answer.status_code != 200:
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
    if d.have == d.edge:
        _turn(d)
        if not d.block & 3:
            d.file.flush()


def _turn(d):
    """Moves the edge on, to the end of the next block of littlefs: only from there it goes on
    without a copy of what was flushed. Block i begins with as many pointers as i has zero bits at
    its end, and one."""
    d.block = i = d.block + 1
    d.edge += _BLOCK - 4
    while not i & 1:
        d.edge -= 4
        i >>= 1
