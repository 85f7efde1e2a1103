"""`flyve invite` and `flyve admin`: what an administrator does, in GLPI or a simulated backend."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from flyve_mdm import inventory as inventories
from flyve_mdm import options, tables
from flyve_mdm.glpi import agents, cli_tasks, invitations
from flyve_mdm.glpi.cli_list import list_
from flyve_mdm.glpi.connection import agent_argument, connected, url_option, wait_option
from flyve_mdm.text import lines, printable

_LINE = options.parsed(options.line)
_NAMED = options.parsed(options.named)
_NO_ANSWER = "no answer in time: is the device online?"


@click.command()
@url_option
@click.argument("email", callback=options.parsed(options.email))
@click.option("--name", "support_name", callback=_LINE, help="Help desk in this link: name.")
@click.option("--phone", "support_phone", callback=_LINE, help="Help desk: telephone.")
@click.option("--website", "support_website", callback=_LINE, help="Help desk: web site.")
@click.option("--support-email", callback=_LINE, help="Help desk: e-mail.")
@click.option("--firstname", callback=_LINE, help="First name of the person in GLPI.")
@click.option("--realname", callback=_LINE, help="Last name of the person in GLPI.")
def invite(
    url: str | None, email: str, firstname: str | None, realname: str | None, **helpdesk: str
) -> None:
    """Invite EMAIL to enroll a device; prints the deeplink.

    The help desk is that of the entity's configuration in GLPI, unless it is given.
    """
    person = {"firstname": firstname, "realname": realname}
    with connected(url) as session:
        link = invitations.invite(session, email, _given(helpdesk), _given(person))
    click.echo(printable(link))


def _given(fields: dict[str, Any]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value is not None}


@click.group()
def admin() -> None:
    """What an administrator does with enrolled devices, over GLPI's REST API.

    AGENT is an id, a serial, a topic, or an e-mail address that has one device; fleet:NAME is
    all devices of a fleet.
    """


for command in (list_, *cli_tasks.COMMANDS):
    admin.add_command(command)


@admin.command("invitations")
@url_option
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def invitations_(url: str | None, as_json: bool) -> None:
    """List the invitations, and why the last enrollment by each failed."""
    with connected(url) as session:
        rows = invitations.listed(session)
    if as_json:
        click.echo(json.dumps(rows, indent=2).replace("\x7f", "\\u007f"))
        return
    heading = ("id", "user", "status", "expires", "why")
    tables.show(heading, [[row[name] or "" for name in heading] for row in rows])


@admin.command()
@url_option
@wait_option(10)
@agent_argument
def ping(url: str | None, agent: str, wait: float) -> None:
    """Ask a device whether it is there."""
    with connected(url) as session:
        answered = agents.ping(session, agents.find(session, agent), wait)
    if not answered:
        raise click.ClickException(_NO_ANSWER)
    click.echo("pong")


@admin.command()
@url_option
@wait_option(10)
@agent_argument
def geolocate(url: str | None, agent: str, wait: float) -> None:
    """Ask a device where it is."""
    with connected(url) as session:
        position = agents.geolocate(session, agents.find(session, agent), wait)
    if position is None:
        raise click.ClickException(_NO_ANSWER)
    click.echo(json.dumps(position))


@admin.command()
@url_option
@wait_option(10)
@click.option("--xml", is_flag=True, help="Print its XML as it came.")
@click.option("--last", is_flag=True, help="Show the one that is there; do not ask the device.")
@agent_argument
def inventory(url: str | None, agent: str, wait: float, xml: bool, last: bool) -> None:
    """Ask a device for its inventory, and show it."""
    with connected(url) as session:
        found = agents.find(session, agent)
        if not last and not agents.ask_inventory(session, found, wait):
            raise click.ClickException(f"{_NO_ANSWER} --last shows the last")
        text = agents.inventory(session, found)
    if not text:
        raise click.ClickException(
            "no inventory to show: GLPI shows a REST client only those that came over MQTT"
        )
    if xml:
        click.echo(lines(text) if sys.stdout.isatty() else text)
        return
    tables.show(("section", "name", "value"), inventories.rows(text))


@admin.command()
@url_option
@click.option("--unlock", is_flag=True, help="Unlock it.")
@agent_argument
def lock(url: str | None, agent: str, unlock: bool) -> None:
    """Lock a device."""
    name = "unlock" if unlock else "lock"
    with connected(url) as session:
        changed = agents.lock(session, agents.find(session, agent), not unlock)
    if changed:
        click.echo(f"{name} sent")
    else:
        click.echo(
            f"{name} not sent: it is so already, and GLPI sends changes only; the broker keeps it"
        )


@admin.command()
@url_option
@click.option("--cancel", is_flag=True, help="Take the order back, for a device that was away.")
@agent_argument
def wipe(url: str | None, agent: str, cancel: bool) -> None:
    """Wipe a device; it does not answer."""
    with connected(url) as session:
        changed = agents.wipe(session, agents.find(session, agent), not cancel)
    if cancel:
        click.echo(
            "wipe taken back: a device that has not heard of it asks GLPI, and lets it be"
            if changed
            else "no wipe is ordered"
        )
    elif changed:
        click.echo("wipe sent")
    else:
        click.echo("wipe not sent: it was ordered before, and the broker keeps that order")


@admin.command()
@url_option
@wait_option(10)
@agent_argument
def unenroll(url: str | None, agent: str, wait: float) -> None:
    """Unenroll a device; it is deleted when it has acknowledged."""
    with connected(url) as session:
        found = agents.find(session, agent)
        again = found.row["enroll_status"] == "unenrolling"
        gone = agents.unenroll(session, found, wait)
    if not gone and again:
        raise click.ClickException(
            f"{_NO_ANSWER} It was unenrolled before, and GLPI does not send that twice: wait for "
            "it, or use `flyve admin delete`"
        )
    if not gone:
        raise click.ClickException(_NO_ANSWER)
    click.echo("unenrolled")


@admin.command()
@url_option
@agent_argument
def delete(url: str | None, agent: str) -> None:
    """Delete a device without its consent."""
    with connected(url) as session:
        agents.delete(session, agents.find(session, agent))
    click.echo("deleted")


@admin.command()
@url_option
@agent_argument
@click.argument("name", required=False, callback=_NAMED)
def fleet(url: str | None, agent: str, name: str | None) -> None:
    """Move a device to the fleet NAME, made when missing; without NAME: out of all fleets."""
    with connected(url) as session:
        moved = agents.fleet(session, agents.find(session, agent), name)
    click.echo(printable(f"fleet {moved}"))
