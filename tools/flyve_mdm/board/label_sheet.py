"""Sheets of labels: what stands where, in millimetres."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import segno

from flyve_mdm.board.image import replace
from flyve_mdm.board.label_canvas import KINDS, POINT, Canvas
from flyve_mdm.board.labels import Label
from flyve_mdm.text import printable

_EDGE = 2.0  # of a label, left free
_QUIET = 4  # modules around a code, which the standard asks for
_SHARES = 0, 0.46, 0.34  # of a label's width, that one of so many codes may take
_LETTERS = 4.6  # the height of most letters, at most
_LEAST = 6  # points, which are read without a glass
_SMALLEST = 0.33  # of a module, for a phone's camera


@dataclass(frozen=True)
class Paper:
    """A sheet of labels; lengths in millimetres."""

    sheet: tuple[float, float]
    label: tuple[float, float]
    grid: tuple[int, int]  # columns, rows
    corner: tuple[float, float]  # of the first label
    pitch: tuple[float, float]


_A4, _LETTER = (210, 297), (215.9, 279.4)
PAPERS = {
    "L7160": Paper(_A4, (63.5, 38.1), (3, 7), (7.2, 15.1), (66, 38.1)),
    "L7163": Paper(_A4, (99.1, 38.1), (2, 7), (4.65, 15.1), (101.6, 38.1)),
    "L7165": Paper(_A4, (99.1, 67.7), (2, 4), (4.65, 13.1), (101.6, 67.7)),
    "5160": Paper(_LETTER, (66.7, 25.4), (3, 10), (4.8, 12.7), (69.85, 25.4)),
    "5163": Paper(_LETTER, (101.6, 50.8), (2, 5), (4, 12.7), (105.8, 50.8)),
    "62x29": Paper((62, 29), (62, 29), (1, 1), (0, 0), (62, 29)),
}


def draw(canvas: Canvas, paper: Paper, labels: Sequence[Label], skip: int, link: bool) -> None:
    """Draws the labels; skip: so many of the first sheet are used already; link: with the QR code
    of the invitation. Raises ValueError when a code does not fit."""
    columns, rows = paper.grid
    for place, label in enumerate(labels, skip):
        at = place % (columns * rows)
        if at == 0 or place == skip:
            canvas.page()
        x = paper.corner[0] + at % columns * paper.pitch[0]
        y = paper.corner[1] + at // columns * paper.pitch[1]
        _label(canvas, (x, y), paper.label, label, link)


def _label(canvas, corner, size, label, link) -> None:
    x, y = corner[0] + _EDGE, corner[1] + _EDGE
    height = size[1] - 2 * _EDGE
    right = corner[0] + size[0] - _EDGE
    codes = [("Invitation", label.deeplink)] if link and label.deeplink else []
    codes += [("Wi-Fi for set-up", label.code)] if label.network else []
    unit = min(_LETTERS, height / 6)
    side = min(height - 1.2 * unit, (right - x) * _SHARES[len(codes)])
    for caption, text in codes[::-1]:
        _code(canvas, right - side, y, side, text, label)
        _words(canvas, (right - side, y + side + 0.8 * unit), side, caption, 0.6 * unit)
        right -= side + _EDGE
    title = label.name or label.serial or label.mac
    lines = [(title, 1.2, True)]
    if label.serial and label.serial != title:
        lines.append((label.serial, 0.75, False))
    if label.network:
        lines += [(label.network, 1, True), (label.passphrase, 1, True)]
    for words, scale, bold in lines:
        y += 1.3 * scale * unit
        _words(
            canvas,
            (x, y - 0.25 * scale * unit),
            right - x,
            words,
            scale * unit,
            bold,
            words == title,
        )


def _words(canvas, at, room, words, height, bold=False, cut=False) -> None:
    """Text of that height; what is too long gets smaller letters, and where it may be cut, in the
    end that."""
    points, words = height / POINT, printable(words)
    wide = canvas.width(points, words, bold)
    if wide > room:
        points *= room / wide * 0.98  # letters do not grow evenly
        if cut and points < _LEAST:
            points = _LEAST
            while len(words) > 1 and canvas.width(points, words, bold) > room:
                words = words.rstrip("\u2026")[:-1].rstrip() + "\u2026"
    canvas.text(*at, points, words, bold)


def _code(canvas, x, y, side, text, label) -> None:
    code = segno.make(text, error="m", micro=False)
    rows = [list(row) for row in code.matrix_iter(border=_QUIET)]
    module = side / len(rows)
    if module < _SMALLEST:
        raise ValueError(
            f"{label.name or label.mac}: its QR code of {len(rows)} modules does not fit: take a "
            "larger label (--paper L7165)"
        )
    for down, row in enumerate(rows):
        start = None
        for across, dark in enumerate([*row, False]):
            if dark and start is None:
                start = across
            elif not dark and start is not None:
                run = (across - start) * module
                canvas.box(x + start * module, y + down * module, run, module)
                start = None


def write(
    path: Path, paper: Paper, labels: Sequence[Label], skip: int = 0, link: bool = False
) -> list[Path]:
    """Writes the sheets; returns their files: one document, or a picture for each page, numbered
    when there are several. Raises ValueError."""
    if path.suffix.lower() not in KINDS:
        raise ValueError(f"{path}: its name must end in one of {', '.join(KINDS)}")
    canvas = KINDS[path.suffix.lower()](paper.sheet)
    draw(canvas, paper, labels, skip, link)
    made = canvas.files()
    paths = [path]
    if len(made) > 1:
        paths = [path.with_stem(f"{path.stem}-{number}") for number in range(1, len(made) + 1)]
    for one, data in zip(paths, made, strict=True):
        replace(one, data)  # for its owner only: it has passphrases on it
    return paths
