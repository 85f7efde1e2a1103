"""Text that comes from outside or goes to a board: what may be printed, and JSON."""

import codecs
import json
import unicodedata

_JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"  # emoji and some scripts need them
# Control and format characters, halves of a UTF-16 pair, ends of lines and of paragraphs.
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")


def printable(text: str) -> str:
    """The text on one line, without what could move a terminal's cursor, change its colours or
    turn its writing round: U+FFFD stands for it, for white space a blank."""
    return "".join(map(_seen, text))


def _seen(c: str) -> str:
    if c.isspace():
        return " "
    if c in _JOINERS or unicodedata.category(c) not in _UNSEEN:
        return c
    return "\N{REPLACEMENT CHARACTER}"


def counted(number: int, what: str) -> str:
    """So many of something: "1 board", "2 boards"."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def lines(text: str) -> str:
    """printable() for a text of several lines."""
    return "\n".join(map(printable, text.splitlines()))


class Console:
    """Bytes of a board's console as they come, for a terminal or a pipe: printable() but for the
    ends of lines."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def feed(self, data: bytes) -> bytes:
        """What may be printed now."""
        text = self._held + self._decoder.decode(data)
        # A carriage return may yet be followed by its line feed.
        self._held = "\r" if text.endswith("\r") else ""
        text = text.removesuffix("\r").replace("\r\n", "\n")
        return "\n".join(map(printable, text.split("\n"))).encode()


def for_board(value: object, what: str) -> bytes:
    """Compact JSON for a board: without escapes, for MicroPython does not join those of a pair of
    halves. Raises ValueError, which names `what`, when a text in it is no Unicode."""
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what}: it has bytes that are no text in UTF-8") from None


def php(value: object, unescaped: bool = False) -> str:
    """JSON as PHP's json_encode() writes it; unescaped: with JSON_UNESCAPED_UNICODE and
    JSON_UNESCAPED_SLASHES."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=not unescaped)
    if not unescaped:
        return text.replace("/", "\\/")
    # Even so these two are escaped, for a script in a page may not hold them.
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
