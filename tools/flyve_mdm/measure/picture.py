"""A picture drawn from its text in D2: `python -m flyve_mdm.measure.picture TEXT SVG`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

# D2 measures by a narrow font and puts it into the picture. A viewer that ignores it takes a font
# of its own, which may be a third wider: it finds room, for the text is set smaller.
_SCALE = 0.75
_STYLE = '<style type="text/css">text{font-family:sans-serif}</style>'


def draw(text: Path, svg: Path) -> None:
    """Draws a picture that any viewer shows as it is meant."""
    argv = [Path(sys.executable).with_name("d2"), "--layout=dagre", "--pad=20", text, "-"]
    drawn = subprocess.run(argv, check=True, stdout=subprocess.PIPE, timeout=60).stdout.decode()
    # The first style is that of the fonts.
    drawn = re.sub("<style.*?</style>", _STYLE, drawn, count=1, flags=re.DOTALL)
    svg.write_text(re.sub(r"font-size:(\d+)px", _smaller, drawn))


def _smaller(size: re.Match) -> str:
    return f"font-size:{int(size[1]) * _SCALE:g}px"


if __name__ == "__main__":
    draw(*map(Path, sys.argv[1:]))
