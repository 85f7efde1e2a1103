"""Pages out of the templates beside this file. What devices and people wrote is text in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from starlette.responses import HTMLResponse

from flyve_mdm.text import printable

FOLDER = Path(__file__).parent


def _seen(value: Any) -> Any:
    """Nothing turns the writing round or hides; markup is what the templates make only."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(FOLDER),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=_seen,
)


def page(name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """The template NAME.html with these values."""
    return HTMLResponse(_TEMPLATES.get_template(f"{name}.html").render(values), status)
