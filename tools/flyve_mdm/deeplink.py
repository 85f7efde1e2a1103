"""`flyve deeplink`: what an invitation contains."""

import sys

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flyve_mdm.build import pure
from flyve_mdm.text import printable

_LONGEST = 64 * 1024  # of stdin: more than any deeplink, so the parser says that it is too long
_SECRET = ("user_token", "invitation_token")
_FIELDS = ("url", *_SECRET, "name", "phone", "website", "email")


@click.group()
def deeplink():
    """What an invitation contains."""


@deeplink.command()
@click.argument("link")
def decode(link):
    """Shows the fields of the deeplink LINK ("-": read from stdin), its tokens shortened."""
    parser = pure.load("jobs.deeplink")
    if link == "-":
        link = sys.stdin.buffer.read(_LONGEST)
    try:
        invitation = parser.parse(link)
    except parser.DeeplinkError as error:
        raise click.ClickException(printable(f"this deeplink cannot be used: {error}")) from None
    values = {name: printable(getattr(invitation, name) or "") for name in _FIELDS}
    values.update((name, shortened(values[name])) for name in _SECRET)
    _show(values)


def shortened(secret: str) -> str:
    """A token as it may be shown: its first 4 characters and its length."""
    return f"{secret[:4]}... ({len(secret)} characters)"


def _show(values: dict) -> None:
    console = Console()
    if not console.is_terminal:
        for name, value in values.items():
            click.echo(f"{name}: {value}".rstrip())
        return
    table = Table.grid(padding=(0, 2))
    for name, value in values.items():
        table.add_row(Text(name, "bold"), Text(value) if value else Text("none", "dim"))
    console.print(table)
