"""The administrator's end of a running simulated backend."""

from __future__ import annotations

import urllib.parse
from typing import Any

import click
import requests
import urllib3

from flyve_mdm.patience import stretched
from flyve_mdm.text import printable


def call(url: str, command: str, wait: float | None = None, **arguments: Any) -> Any:
    """Call the administrator's interface; raises click.ClickException with one line."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise click.ClickException(f"{url!r} is no url: use the one that `flyve backend` printed")
    target = f"{parts.scheme}://{parts.netloc}/flyve-admin/{command}"
    if wait is not None:
        arguments["wait"] = wait
    # The administrator sits on the backend's own machine, which makes a new CA at every start.
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    try:
        with requests.Session() as session:
            session.trust_env = False  # no proxy between here and here
            answer = session.post(
                target, json=arguments, timeout=stretched((wait or 0) + 15), verify=False,
                allow_redirects=False,
            )  # fmt: skip
        body = answer.json()
    except requests.exceptions.JSONDecodeError:
        raise click.ClickException(f"{url} is no simulated backend") from None
    except (requests.RequestException, OSError):
        raise click.ClickException(
            f"no backend answers at {parts.netloc}: start one with `flyve backend`"
        ) from None
    if not isinstance(body, dict) or answer.status_code != 200:
        text = body.get("error", "") if isinstance(body, dict) else "no answer"
        raise click.ClickException(printable(text) or f"the backend answered {answer.status_code}")
    return body
