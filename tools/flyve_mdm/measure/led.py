"""What the LED shows, as a picture: `python -m flyve_mdm.measure.led` prints docs/led.svg."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from flyve_mdm import ROOT

_SOURCE = ROOT / "firmware" / "flyve" / "jobs" / "led.py"
_MEANT = {
    "setup": "its set-up network is open",
    "joining": "it joins a network, enrolls or connects",
    "online": "online",
    "trouble": "it goes on trying: its console says why",
    "locked": "locked by its administrator",
    "off": "nothing to do: it waits for an invitation",
}
_LEFT, _TOP, _ROW, _SECOND, _SECONDS = 370, 16, 34, 130, 3
_DARK, _LIT, _LINE = "#12233d", "#f0a030", "#b8c4d6"


def patterns() -> list[tuple[str, int, int]]:
    """Name, times a second and % lit of each pattern, from the firmware's own table."""
    for node in ast.parse(_SOURCE.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PATTERNS":
            return list(ast.literal_eval(node.value.args[0]))
    raise LookupError(f"{_SOURCE} has no PATTERNS")


def _lit(often: int, share: int) -> Iterator[tuple[float, float]]:
    """Begin and length, in seconds, of each time it is lit."""
    if not often:
        if share:
            yield 0, _SECONDS
        return
    for n in range(_SECONDS * often):
        yield n / often, share / 100 / often


def text() -> str:
    """The picture."""
    rows = patterns()
    width, height = _LEFT + _SECONDS * _SECOND + 20, _TOP + len(rows) * _ROW + 30
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">',
        "<title>What the LED shows</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for index, (name, often, share) in enumerate(rows):
        middle = _TOP + index * _ROW + _ROW // 2
        said = f'y="{middle + 5}" fill="{_DARK}"'
        out.append(f'<text x="16" {said} font-weight="bold">{name}</text>')
        out.append(f'<text x="84" {said}>{_MEANT[name]}</text>')
        end = _LEFT + _SECONDS * _SECOND
        out.append(f'<path d="M{_LEFT} {middle + 9}H{end}" stroke="{_LINE}"/>')
        for begin, length in _lit(often, share):
            x, wide = _LEFT + begin * _SECOND, length * _SECOND
            out.append(
                f'<rect x="{x:g}" y="{middle - 9}" width="{wide:g}" height="18" fill="{_LIT}"/>'
            )
    for second in range(_SECONDS + 1):
        x, y = _LEFT + second * _SECOND, height - 12
        out.append(f'<text x="{x}" y="{y}" fill="{_DARK}" text-anchor="middle">{second} s</text>')
    return "\n".join([*out, "</svg>\n"])


if __name__ == "__main__":
    print(text(), end="")
