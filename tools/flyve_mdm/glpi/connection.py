"""What an administrator's commands have in common: the option --url, errors in one line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import click

from flyve_mdm import options
from flyve_mdm.glpi import account
from flyve_mdm.glpi.errors import GlpiError
from flyve_mdm.glpi.session import Session
from flyve_mdm.text import printable

url_option = click.option(
    "--url", metavar="URL", callback=options.parsed(options.url),
    help="GLPI's REST API (https://.../apirest.php), or the url that `flyve backend` printed; "
    "or FLYVE_URL. Credentials: FLYVE_USER_TOKEN, or a file named by FLYVE_CREDENTIALS.",
)  # fmt: skip

agent_argument = click.argument("agent", callback=options.parsed(options.named))
target_argument = click.argument(
    "agent", metavar="AGENT|fleet:NAME", callback=options.parsed(options.named)
)


@contextlib.contextmanager
def connected(url: str | None) -> Iterator[Session]:
    """A session with the GLPI that the environment and the option name; raises
    click.ClickException."""
    try:
        with Session(account.load(url)) as session:
            yield session
    except account.AccountError as error:
        raise click.UsageError(printable(str(error))) from None
    except GlpiError as error:
        raise click.ClickException(printable(str(error))) from None


def wait_option(default: float) -> Any:
    """The option --wait."""
    return click.option(
        "--wait",
        default=default,
        show_default=True,
        metavar="SECONDS",
        type=click.FloatRange(0, 600),
        callback=options.parsed(options.finite),
        help="How long to wait for the answer.",
    )
