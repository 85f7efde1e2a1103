"""A timeline on the console: who did what, and when."""

from __future__ import annotations

import re
import textwrap
import threading
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

from flyve_mdm.text import printable

_STYLES = {
    "admin": "magenta",
    "backend": "cyan",
    "board": "green",
    "demo": "bold",
    "phone": "yellow",
}
_COLUMNS = 110  # of the picture
_COLUMN = 12.2  # as wide is one in it
_BLANK = "&#160;"
_INDENTED = re.compile(r'x="([\d.]+)"([^>]*)textLength="([\d.]+)"([^>]*)>((?:&#160;)+)(?=[^<])')
_INDENT = 19  # of what is told, behind the time and who tells it


class Timeline:
    """Prints who did what, and when since the start; lines may come from several threads.
    drawn: a picture of it is wanted, so nothing may move on the console."""

    def __init__(self, drawn: bool):
        self.console = Console(highlight=False, record=drawn, width=_COLUMNS if drawn else None)
        self.bars = self.console.is_terminal and not drawn
        self._start = time.monotonic()
        self._lock = threading.Lock()

    def tell(self, who: str, what: str) -> None:
        """Prints one line."""
        with self._lock:
            line = Text()
            line.append(f"{time.monotonic() - self._start:7.2f} s  ", style="dim")
            line.append(f"{who:<8}", style=_STYLES[who])
            line.append(self._broken(printable(what)))
            self.console.print(line, soft_wrap=True)

    def _broken(self, what: str) -> str:
        """The text in lines that the picture has room for; a terminal breaks them itself."""
        if not self.console.record:
            return what
        return textwrap.fill(
            what, _COLUMNS - _INDENT, break_long_words=False, break_on_hyphens=False
        ).replace("\n", "\n" + " " * _INDENT)

    def draw(self, path: Path) -> None:
        """Writes all that was printed as an SVG."""
        drawn = self.console.export_svg(title="make demo", unique_id="demo")
        # A picture in a page may load nothing: the font has to be one that the reader has.
        drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)
        path.write_text(re.sub(_INDENTED, _moved, drawn))


def _moved(text: re.Match) -> str:
    """A text without its leading blanks, for some viewers leave them out."""
    room = len(text[5]) // len(_BLANK) * _COLUMN
    x, length = (float(text[n]) for n in (1, 3))
    return f'x="{x + room:g}"{text[2]}textLength="{length - room:g}"{text[4]}>'
