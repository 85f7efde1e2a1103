"""The page of the board's own network: setup.html, as tools/flyve_mdm/build/template.py makes
records of it, with values put in. It streams: no more of it is in memory than a buffer."""

import io

from micropython import const

import flyve

# What a browser is to obey: nothing from elsewhere, no script but the page's own.
POLICY = (
    b"default-src 'none'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
    b"script-src 'sha256-T9uNJkLSr0Sj0R8kEixhzpJV5Sy8+XlZbjYC8tjl1jQ='; "
    b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_PIECE = const(256)  # bytes at most of what render() gives, and of a text in the page
_BLOCK = const(1024)  # bytes at most of what is repeated
_SLICE = const(40)  # characters of a value at once: escaped, they are no longer than a piece
_ESCAPES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;"))


class PageError(Exception):
    """There is no page to be shown; the text says what to do."""


def render(values, networks):
    """Yields the page in pieces, of which each is good until the next. values: name -> bool, or
    text without control characters; networks: (ssid, bars, locked) of each. Raises PageError."""
    values["networks"] = networks
    buf = memoryview(bytearray(_PIECE))
    try:
        with _records() as f:
            yield from _shown(f, values, buf)
    except (ImportError, OSError, EOFError, ValueError, KeyError):
        raise PageError("the set-up page is missing or damaged: `flyve deploy` renews it")


def _records():
    import deflate

    try:
        # On a board it lies in the archive, which is found while it is asked for: flyve/__init__.
        f = open(flyve.__path__ + "/jobs/setup_html.dat", "rb")
    except OSError:
        from flyve.jobs import setup_html  # a frozen agent has it so

        f = io.BytesIO(setup_html.DATA)
    return deflate.DeflateIO(f, deflate.ZLIB, 0, True)


def _shown(f, values, buf):
    while True:
        kind, length, low, high = _read(f, buf[:4])
        size = low | high << 8
        names = str(_read(f, buf[:length]), "utf-8").split()
        kind = chr(kind)
        if kind == "t":
            yield _read(f, buf[:size])
        elif kind == "v":
            yield from _escaped(values.get(names[0]) or "")
        elif kind in "iu":
            there = False
            for name in names:
                there = there or bool(values.get(name))
            if there != (kind == "i"):
                while size:
                    size -= len(_read(f, buf[: min(size, _PIECE)]))
        elif kind == "e" and size <= _BLOCK:
            body = f.read(size)
            for ssid, bars, locked in values[names[0]]:
                chosen = ssid == values.get("chosen")
                one = {"ssid": ssid, "bars": str(bars), "locked": locked, "chosen": chosen}
                yield from _shown(io.BytesIO(body), one, buf)
        elif kind == "z":
            return
        else:
            raise ValueError


def _read(f, buf):
    if f.readinto(buf) != len(buf):
        raise EOFError
    return buf


def _escaped(text):
    for at in range(0, len(text), _SLICE):
        piece = text[at : at + _SLICE]
        for c, escape in _ESCAPES:
            piece = piece.replace(c, escape)
        yield piece.encode()
