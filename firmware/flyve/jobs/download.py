"""The bytes of a file on their way to the flash, judged by what really arrives. `part`: see
delivery_steps.py."""

from micropython import const

from flyve import memory

_BLOCK = const(4096)  # of littlefs, and of an OTA partition
_BUFFER = const(2048)
_LEAST = const(512)  # that tell whether it is a firmware image
_END = const(4)  # of the steps in delivery_steps.py


def _undecided(part):
    """True until the first byte tells whether it is a firmware image."""
    return part["firmware"] and not part["base"] and not part["slot"]


def work(part, answer):
    """A job: takes what the answer to the request at hand has; True when that is all of the file,
    so that its end, journal.py's, is the step at hand."""
    yield from take(part, answer, part["first"], part["length"], part["ms"])
    # Several answers may be of several versions: delivery_steps.py compares first.
    if part["requests"] > 1 or part["have"] != part["total"]:
        return False
    if part["file"]:
        part["file"].close()
        part["file"] = None
    part["step"] = _END
    return True


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
            at = _judge(part, _undecided(part), status, headers, first, length)
        finally:
            memory.drop("judgement", "paths", "files")
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


def _write(part):
    """Takes the buffer to the flash; what of it is not taken has to come again."""
    data = part["buf"][: part["have"] - part["base"]]
    if _undecided(part):
        if data[:1] != b"\xe9":
            _check_room(part["total"])
            memory.drop("files")
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
            memory.drop("paths", "files")
        part["file"].write(data)
    part["hash"].update(data)
    part["base"] += len(data)
    part["have"] = part["base"]


# Each in a frame of its own: what a frame names stays in memory as long as that.


def _judge(*what):
    from flyve.jobs import judgement

    return judgement.judge(*what)


def _check_room(total):
    from flyve.jobs import files

    files.check_room(total)


def _open(place):
    from flyve.jobs import files, paths

    path = paths.part(place)
    files.mkdirs(path)
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
