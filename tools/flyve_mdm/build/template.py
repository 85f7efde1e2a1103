"""setup.html as firmware/flyve/jobs/page.py reads it: setup.dat, and as a module, to be frozen.

In the page, which a designer opens in a browser as it is:

    $name$                  a value, escaped where it is shown
    <!--if a b-->...        shown if one of these values is true; <!--if !a b-->: if none is
    <!--each networks-->... once for each, with names of its own inside
    <!--end-->              where such a block ends

Comments, indentation, blanks of the style sheet and quotes that a short value does not need go.
The rest becomes records: four bytes (kind, how long the names are, the size of what follows),
names, what follows. A block's size leads past it, so what is not shown is skipped.
All is compressed, with a small window: see docs/footprint.md.
"""

import re
import zlib
from collections.abc import Iterator

TEXT, VALUE, IF, UNLESS, EACH, END = b"tviuez"
PIECE = 256  # bytes of a text: page.py has a buffer of that size
BLOCK = 1024  # and takes as much of an <!--each-->
_WINDOW = 9  # bits
_TOKEN = re.compile(r"\$([a-z_]+)\$|<!--(if|each) (!?)([a-z_ ]+)-->|<!--end-->")
_COMMENT = re.compile(r"<!--(?!if |each |end-->).*?-->|^\s*//.*?$", re.S | re.M)
_ALONE = re.compile(r"(?m)^(<!--[^>]*-->)\n")
_STYLE = re.compile(r"<style>.*?</style>", re.S)
_BLANKS = re.compile(r"\s*([{};,:>])\s+|\s+(?=[{}<])")
_QUOTES = re.compile(r'(?<=[a-z]=)"([\w-]+)"(?=[ <>])')


class TemplateError(Exception):
    """The page cannot be made into records; the text says why."""


def data(page: str) -> bytes:
    """The file for a board. Raises TemplateError."""
    packer = zlib.compressobj(9, zlib.DEFLATED, _WINDOW)
    return packer.compress(records(page)) + packer.flush()


def module(page: str) -> str:
    """The same as a module, for what is frozen into an image. Raises TemplateError."""
    return f"DATA = {data(page)!r}\n"


def records(page: str) -> bytes:
    """The records of a page. Raises TemplateError."""
    page = re.sub(r"\n\s*", "\n", _COMMENT.sub("", page))
    page = _ALONE.sub(r"\1", page)
    page = _STYLE.sub(lambda sheet: _BLANKS.sub(r"\1", sheet[0]), page)
    return _block(_parts(_QUOTES.sub(r"\1", page)))


def _parts(page: str) -> Iterator[tuple[bytes, re.Match | None]]:
    """Texts, with what follows each."""
    at = 0
    for token in _TOKEN.finditer(page):
        yield page[at : token.start()].encode(), token
        at = token.end()
    yield page[at:].encode(), None


def _block(parts: Iterator[tuple[bytes, re.Match | None]], begin: str = "") -> bytes:
    """All up to the end of the block that begins so, or of the page."""
    out = b""
    for text, token in parts:
        if b"<!--" in text:
            raise TemplateError(f"not understood: {text[text.index(b'<!--') :][:40].decode()}")
        for at in range(0, len(text), PIECE):
            out += _record(TEXT, body=text[at : at + PIECE])
        if (token is None or token[0] == "<!--end-->") and bool(token) != bool(begin):
            raise TemplateError(f"{begin} has no <!--end-->" if begin else "<!--end--> of nothing")
        if token is None or token[0] == "<!--end-->":
            break
        if token[1]:
            out += _record(VALUE, token[1])
        elif token[2] == "if":
            out += _record(UNLESS if token[3] else IF, token[4], _block(parts, token[0]))
        else:
            body = _block(parts, token[0]) + _record(END)
            if len(body) > BLOCK:
                raise TemplateError(f"{token[0]}: {len(body)} bytes, more than {BLOCK}")
            out += _record(EACH, token[4], body)
    return out if begin else out + _record(END)


def _record(kind: int, names: str = "", body: bytes = b"") -> bytes:
    return bytes([kind, len(names)]) + len(body).to_bytes(2, "little") + names.encode() + body
