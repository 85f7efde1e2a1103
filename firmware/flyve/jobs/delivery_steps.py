"""What a delivery does next: the requests, and what becomes of one that fails.

The backend loses the last byte of every answer whose length is 1 modulo 16384, answers 200 where a
part was asked for, and never 416: so lengths are chosen, and what comes is judged and counted.
"""

from micropython import const

from flyve import log, memory, registry, transport

idle_ms = 15000  # for one piece: a server slower than 280 bytes a second is given up

# Steps; journal.py has one of them, too.
_FORM = const(0)
_BEGIN = const(1)
_TAKE = const(2)
_COMPARE = const(3)
_END = const(4)
_DONE = const(5)

_LOST = const(16384)  # the backend reads its files by so much
_FIRST = const(1048576)
_SMALLEST = const(8192)
_LARGEST = const(4194304)
_PROGRESS = const(256)  # bytes that make a request worth while
_TRIES = const(4)  # requests that were not, in a row
_EDITIONS = const(3)  # files that change under our hands, in a row


def begin(online, item, place, firmware=False):
    """A part: what there is of a file, and where its delivery stands, as plain data. item: e.g.
    "PluginFlyvemdmFile/1"; place: a path, or (with a trailing slash) a folder; firmware: an ESP32
    image is not for there, but for the OTA slot."""
    return {
        "item": item,
        "place": place,
        "ms": idle_ms,
        "step": None,
        "ask": None,  # the headers of the request that it begins with, none in those for the form
        "fixed": online.settings.get("chunk"),  # bytes of a request
        "size": online.settings.get("chunk") or _FIRST,
        "first": 0,  # byte of the newest request
        "length": 0,  # of it
        "before": 0,  # so many bytes were there
        "requests": 0,  # for bytes of this edition
        "misses": 0,  # of these, in a row
        "editions": 0,  # of the file that were given up
        "said": None,  # what its JSON form says, and
        "form": None,  # what it said at first
        "path": None,  # of the file, once its name is known
        "journal": None,  # what is on the flash about it
        "total": None,  # bytes; backends before 2018 tell it only with the bytes
        "have": 0,  # of these, in the file or the buffer
        "base": 0,  # of these, in the file
        "edge": 0,  # where the block of littlefs ends that comes next
        "block": 0,  # its number
        "hash": None,  # the SHA-256 of what is in the file
        "file": None,  # while it is open
        "firmware": firmware,
        "slot": None,  # the OTA partition instead of a file
        "there": False,  # all of it was, before
        "buf": None,
        "plain": False,  # a request for a part has not told the total: the next is for all
    }


def decide(part, failure=None):
    """True when there is another step: `step`, and `ask` for its request; False when the file is
    in its place. failure: what the last one raised, if it did. Raises what ends the delivery, see
    applying.deliver()."""
    try:
        if part["step"] == _TAKE and (failure is None or isinstance(failure, transport.NetError)):
            _taken(part, failure)
        elif failure:
            raise failure
        _next(part)
    except EOFError as e:
        log.info("download", "%s changed on the server: %s", part["item"], e)
        _discard(part)
        part["editions"] += 1
        if part["editions"] == _EDITIONS:
            raise registry.Failed("%s does not stay the same" % part["item"])
        part["step"] = None
        _next(part)
    except transport.NetError:
        raise
    except (registry.Failed, registry.Incompatible):
        _discard(part)
        raise
    except OSError as e:
        _discard(part)
        raise registry.Failed("flash: %s" % log.reason(e))
    return part["step"] != _DONE


def _close(part):
    if part["file"]:
        part["file"].close()
        part["file"] = None


def _discard(part):
    _close(part)
    from flyve.jobs import journal

    journal.discard(part["place"])
    journal = None
    memory.drop("journal", "slot")


def _next(part):
    """Chooses the step after the last one."""
    step = part["step"]
    part["ask"] = None
    if step is None:
        part["ask"] = {}
        step = _FORM
    elif step == _FORM:
        part["form"] = part["said"]
        step = _BEGIN
    elif step == _BEGIN and part["there"] or step == _END:
        step = _DONE
    elif step <= _TAKE:
        if step == _BEGIN:
            part["requests"] = 1 if part["have"] else 0
            part["misses"] = 0
            part["size"] = part["fixed"] or _FIRST
        if part["total"] is None or part["have"] < part["total"] or not part["requests"]:
            _choose(part)
            step = _TAKE
        else:
            _close(part)
            step = _END
            if part["requests"] > 1:
                # What came in several answers must all be of one version.
                part["ask"] = {}
                step = _COMPARE
    elif part["said"] != part["form"]:
        raise EOFError("another version")
    else:
        step = _END
    part["step"] = step


def _choose(part):
    """Chooses the bytes of the next request."""
    size = part["size"]
    first = part["before"] = part["have"]
    left = size if part["total"] is None else part["total"] - first
    length = min(size, left)
    if left == 1 and first:
        first -= 1
        length = 2
    while length > 1 and (length % _LOST == 1 or left - length == 1):
        length -= 1
    part["first"], part["length"] = first, length
    part["ask"] = {"Accept": "application/octet-stream"}
    if length and not (part["plain"] and part["total"] is None):
        part["ask"]["Range"] = "bytes=%d-%d" % (first, first + length - 1)
    part["requests"] += 1


def _taken(part, e):
    """Counts what a request has brought; e: the NetError with which it ended, or None. Raises
    it, or another exception, unless another request may do better."""
    total = part["total"]
    if e:
        if e.status == 416 and total is None and not part["plain"]:
            part["plain"] = True  # an empty file has no part
        elif e.status == 416 and e.place and not e.place.endswith("/%s" % total):
            raise EOFError("it ends before byte %d" % part["before"])
        # The backend's word for a file that is gone: nothing, or GLPI's pair.
        elif (
            e.status == 404 and e.endpoint == part["item"] and (e.code == "NO_BODY" or e.refused())
        ):
            raise registry.Failed("the server has lost " + part["item"])
        # Below 100: the status line itself was cut. Who asks us to wait is not pressed.
        elif 100 <= e.status < 500 or e.after or e.kind == "moved":
            raise e
        log.debug("download", "%s at byte %d", e, part["have"])
    if not part["fixed"]:
        whole = part["have"] >= part["first"] + part["length"]
        size = part["size"]
        part["size"] = min(_LARGEST, size * 2) if whole else max(_SMALLEST, size // 2)
    part["misses"] += 1
    if part["have"] - part["before"] >= _PROGRESS or part["have"] == total:
        part["misses"] = 0
    elif part["misses"] == _TRIES:
        text = "the server does not send byte %d of %d"
        raise e or registry.Failed(text % (part["have"], total))
