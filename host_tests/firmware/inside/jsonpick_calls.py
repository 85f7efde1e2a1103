# Called by test_jsonpick_property.py: what pick() makes of a document.

from flyve.jobs import jsonpick


class _Source:
    """Gives `reads[i]` bytes at most by its i-th read, then over again."""

    def __init__(self, data, reads):
        self.data = data
        self.reads = reads
        self.turn = self.at = 0

    def readinto(self, buf):
        most = self.reads[self.turn % len(self.reads)]
        self.turn += 1
        piece = self.data[self.at : self.at + min(most, len(buf))]
        buf[: len(piece)] = piece
        self.at += len(piece)
        return len(piece)


def _told(value):
    # A str as bytes: MicroPython's json does not bring each of them over.
    if isinstance(value, str):
        return ["str", value.encode()]
    if isinstance(value, type):
        return [value.__name__, ""]
    return [type(value).__name__, repr(value)]


def pick(data, paths, reads, size, transparent):
    """["found", {index of the path: [type, text]}] or [name of the error, its text]."""
    source = _Source(data, reads)
    try:
        values = jsonpick.pick(source, paths, bytearray(size), transparent)
    except jsonpick.JsonError as error:
        return [type(error).__name__, str(error)]
    return ["found", {str(paths.index(path)): _told(value) for path, value in values.items()}]


def cut(data, *how):
    """What pick() gives for each beginning of the data, up to the whole."""
    return [pick(data[:end], *how) for end in range(len(data) + 1)]
