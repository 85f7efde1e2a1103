"""How a sheet is drawn: as PDF, SVG or PNG."""

import html
import io
import logging
from collections.abc import Callable, Iterable
from typing import Protocol

from font_roboto import Roboto, RobotoBold
from fontTools.ttLib import TTFont
from fpdf import FPDF
from PIL import Image, ImageDraw, ImageFont

_DPI = 300
_INCH, POINT = 25.4, 25.4 / 72

logging.getLogger("fpdf").setLevel(logging.ERROR)  # of letters that it lacks missing() tells


def missing(texts: Iterable[str]) -> str:
    """The letters that the font of PDF and PNG does not have."""
    with TTFont(Roboto) as font:
        known = font.getBestCmap()
    return "".join(sorted({c for text in texts for c in text if ord(c) not in known}))


class Canvas(Protocol):
    """One page at a time; lengths in millimetres, the size of letters in points."""

    def page(self) -> None: ...

    def text(self, x: float, y: float, size: float, words: str, bold: bool = False) -> None: ...

    def box(self, x: float, y: float, width: float, height: float) -> None: ...

    def width(self, size: float, words: str, bold: bool = False) -> float: ...


class Pdf:
    """All pages in one document."""

    def __init__(self, sheet: tuple[float, float]):
        self._pdf = FPDF(unit="mm", format=sheet)
        self._pdf.set_auto_page_break(False)
        for style, path in (("", Roboto), ("B", RobotoBold)):
            self._pdf.add_font("Roboto", style, path)

    def page(self):
        self._pdf.add_page()

    def text(self, x, y, size, words, bold=False):
        self._pdf.set_font("Roboto", "B" if bold else "", size)
        self._pdf.text(x, y, words)

    def box(self, x, y, width, height):
        self._pdf.rect(x, y, width, height, style="F")

    def width(self, size, words, bold=False):
        self._pdf.set_font("Roboto", "B" if bold else "", size)
        return self._pdf.get_string_width(words)

    def files(self) -> list[bytes]:
        """The document."""
        return [bytes(self._pdf.output())]


class Svg:
    """A picture for each page."""

    def __init__(self, sheet: tuple[float, float]):
        self._sheet, self._pages = sheet, []

    def page(self):
        self._pages.append([])

    def text(self, x, y, size, words, bold=False):
        weight = ' font-weight="bold"' if bold else ""
        self._pages[-1].append(
            f'<text x="{x:.2f}" y="{y:.2f}" font-size="{size * POINT:.2f}"{weight}>'
            f"{html.escape(words)}</text>"
        )

    def box(self, x, y, width, height):
        self._pages[-1].append(f"M{x:.3f} {y:.3f}h{width:.3f}v{height:.3f}h{-width:.3f}z")

    def width(self, size, words, bold=False):
        return _font(size, bold).getlength(words) / _DPI * _INCH

    def files(self) -> list[bytes]:
        """The pictures."""
        width, height = self._sheet
        made = []
        for marks in self._pages:
            path = "".join(mark for mark in marks if mark.startswith("M"))
            texts = "\n".join(mark for mark in marks if not mark.startswith("M"))
            made.append(
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}mm" height="{height}mm" '
                f'viewBox="0 0 {width} {height}" font-family="Roboto, Arial, sans-serif">\n'
                f'<rect width="100%" height="100%" fill="#fff"/>\n<path d="{path}"/>\n'
                f"{texts}\n</svg>\n".encode()
            )
        return made


class Png:
    """A picture for each page, of 300 dots an inch."""

    def __init__(self, sheet: tuple[float, float]):
        self._size = tuple(_dots(length) for length in sheet)
        self._pages: list[Image.Image] = []

    def page(self):
        self._pages.append(Image.new("L", self._size, 255))
        self._draw = ImageDraw.Draw(self._pages[-1])

    def text(self, x, y, size, words, bold=False):
        self._draw.text((_dots(x), _dots(y)), words, 0, _font(size, bold), anchor="ls")

    def box(self, x, y, width, height):
        corner = _dots(x), _dots(y)
        self._draw.rectangle((*corner, _dots(x + width) - 1, _dots(y + height) - 1), 0)

    def width(self, size, words, bold=False):
        return _font(size, bold).getlength(words) / _DPI * _INCH

    def files(self) -> list[bytes]:
        """The pictures."""
        made = []
        for page in self._pages:
            out = io.BytesIO()
            page.save(out, "PNG", dpi=(_DPI, _DPI))
            made.append(out.getvalue())
        return made


def _dots(length: float) -> int:
    return round(length / _INCH * _DPI)


def _font(size: float, bold: bool) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(RobotoBold if bold else Roboto, size * _DPI / 72)


KINDS: dict[str, Callable[[tuple[float, float]], Canvas]] = {".pdf": Pdf, ".svg": Svg, ".png": Png}
