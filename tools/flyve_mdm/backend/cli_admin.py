"""Commands of an administrator, who speaks to a running simulated backend."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from flyve_mdm import options, tables
from flyve_mdm.backend import application
from flyve_mdm.backend.admin_client import call
from flyve_mdm.text import lines, printable

_URL = click.option(
    "--url", envvar="FLYVE_URL", required=True, metavar="URL",
    callback=options.parsed(options.url),
    help="The url that `flyve backend` printed; or FLYVE_URL.",
)  # fmt: skip


_LINE = options.parsed(options.line)
_NAMED = options.parsed(options.named)
# What the backend takes of a request, of which the content is a part in base64.
_LARGEST = 11 * 1024 * 1024


@click.command()
@_URL
@click.argument("email", callback=options.parsed(options.email))
@click.option("--name", callback=_LINE, help="Help desk: name.")
@click.option("--phone", callback=_LINE, help="Help desk: telephone.")
@click.option("--website", callback=_LINE, help="Help desk: web site.")
@click.option("--support-email", callback=_LINE, help="Help desk: e-mail.")
@click.option("--firstname", callback=_LINE, help="First name of the person in GLPI.")
@click.option("--realname", callback=_LINE, help="Last name of the person in GLPI.")
def invite(url: str, email: str, **fields: str | None) -> None:
    """Invite EMAIL to enroll a device; prints the deeplink."""
    given = {key: value for key, value in fields.items() if value is not None}
    click.echo(call(url, "invite", email=email, **given)["deeplink"])


@click.group()
def admin() -> None:
    """What an administrator does with enrolled devices.

    AGENT is an id, a serial, a topic, or an e-mail address that has one device.
    """


@admin.command("list")
@_URL
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@click.option("--why", is_flag=True, help="List the tasks that failed, and why.")
def list_(url: str, as_json: bool, why: bool) -> None:
    """List the enrolled devices."""
    rows = call(url, "list")["agents"]
    if as_json:
        click.echo(json.dumps(rows, indent=2).replace("\x7f", "\\u007f"))
        return
    if why:
        tables.show(("id", "serial", "task", "policy", "status", "why"), _failed(rows))
        return
    shown = []
    for row in rows:
        tasks = ", ".join(f"{t['symbol']} {t['status']}" for t in row["tasks"])
        online = "yes" if row["online"] else "no"
        flags = "".join(f" {flag}" for flag in ("lock", "wipe") if row[flag])
        status, contact = row["status"] + flags, row["last_contact"] or ""
        named = row["id"], row["serial"], row["email"]
        shown.append((*named, online, status, row["fleet"], contact, tasks))
    heading = ("id", "serial", "e-mail", "online", "status", "fleet", "last contact", "tasks")
    tables.show(heading, shown, styles={"yes": "green"})


def _failed(rows: list[dict[str, Any]]) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        for task in row["tasks"]:
            if task["why"] or task["status"] in ("failed", "incompatible"):
                why = task["why"] or f"not told yet: flyve admin inventory {row['id']}"
                yield row["id"], row["serial"], task["task"], task["symbol"], task["status"], why


def _wait(default: float) -> Any:
    return click.option(
        "--wait",
        default=default,
        show_default=True,
        metavar="SECONDS",
        type=click.FloatRange(0, 600),
        callback=options.parsed(options.finite),
        help="How long to wait for the answer.",
    )


def _report(answered: bool, text: str) -> None:
    if not answered:
        raise click.ClickException("no answer in time: is the device online?")
    click.echo(text)


@admin.command()
@_URL
@_wait(10)
@click.argument("agent")
def ping(url: str, agent: str, wait: float) -> None:
    """Ask a device whether it is there."""
    _report(call(url, "ping", wait, agent=agent)["answered"], "pong")


@admin.command()
@_URL
@_wait(10)
@click.argument("agent")
def geolocate(url: str, agent: str, wait: float) -> None:
    """Ask a device where it is."""
    answer = call(url, "geolocate", wait, agent=agent)
    _report(answer["answered"], json.dumps(answer["position"]))


@admin.command()
@_URL
@_wait(10)
@click.option("--xml", is_flag=True, help="Print its XML as it came.")
@click.option("--last", is_flag=True, help="Show the one that is there; do not ask the device.")
@click.argument("agent")
def inventory(url: str, agent: str, wait: float, xml: bool, last: bool) -> None:
    """Ask a device for its inventory, and show it."""
    answer = call(url, "inventory", wait, agent=agent, last=last)
    if not answer["answered"]:
        raise click.ClickException(
            "no answer in time: is the device online? --last shows the last"
        )
    if not answer["xml"]:
        raise click.ClickException("there is no inventory yet")
    if xml:
        click.echo(lines(answer["xml"]) if sys.stdout.isatty() else answer["xml"])
        return
    tables.show(("section", "name", "value"), answer["rows"])


@admin.command()
@_URL
@click.option("--unlock", is_flag=True, help="Unlock it.")
@click.argument("agent")
def lock(url: str, agent: str, unlock: bool) -> None:
    """Lock a device."""
    if not call(url, "lock", agent=agent, unlock=unlock)["sent"]:
        raise click.ClickException("ignored: the device is being wiped")
    click.echo("unlock sent" if unlock else "lock sent")


@admin.command()
@_URL
@click.argument("agent")
def wipe(url: str, agent: str) -> None:
    """Wipe a device; it does not answer."""
    call(url, "wipe", agent=agent)
    click.echo("wipe sent")


@admin.command()
@_URL
@_wait(10)
@click.argument("agent")
def unenroll(url: str, agent: str, wait: float) -> None:
    """Unenroll a device; it is deleted when it has acknowledged."""
    _report(call(url, "unenroll", wait, agent=agent)["answered"], "unenrolled")


@admin.command()
@_URL
@click.argument("agent")
def delete(url: str, agent: str) -> None:
    """Delete a device without its consent."""
    call(url, "delete", agent=agent)
    click.echo("deleted")


def _finish(answer: dict[str, Any], wait: float) -> None:
    click.echo(printable(f"task {answer['task']}: {answer['status']}"))
    if wait and answer["status"] != "done":
        why = f": {answer['why']}" if answer.get("why") else ""
        raise click.ClickException(printable(f"the task is not done: {answer['status']}{why}"))


def _read(path: str) -> bytes:
    if os.path.getsize(path) > _LARGEST:
        raise click.ClickException(f"{path} is larger than the {_LARGEST} bytes that can be sent")
    return Path(path).read_bytes()


_PATH = click.Path(exists=True, dir_okay=False, readable=True)


@admin.command("deploy-file")
@_URL
@_wait(60)
@click.option(
    "--destination", default="%SDCARD%/", show_default=True, callback=_NAMED, help="A directory."
)
@click.option(
    "--name",
    callback=options.parsed(options.file_name),
    help="Its name on the device (default: the file's).",
)
@click.argument("agent")
@click.argument("file", type=_PATH)
def deploy_file(
    url: str, agent: str, file: str, destination: str, name: str | None, wait: float
) -> None:
    """Send FILE to a device."""
    answer = call(
        url,
        "deploy-file",
        wait,
        agent=agent,
        name=name or os.path.basename(file),
        content=base64.b64encode(_read(file)).decode(),
        destination=destination,
    )
    _finish(answer, wait)


@admin.command("remove-file")
@_URL
@_wait(60)
@click.argument("agent")
@click.argument("path", callback=_NAMED)
def remove_file(url: str, agent: str, path: str, wait: float) -> None:
    """Remove a file, by its full PATH such as %SDCARD%/name, from a device."""
    _finish(call(url, "remove-file", wait, agent=agent, path=path), wait)


@admin.command("deploy-app")
@_URL
@_wait(60)
@click.option("--version-code", default="1", show_default=True, callback=_NAMED)
@click.argument("agent")
@click.argument("package", callback=_NAMED)
@click.argument("file", type=_PATH)
def deploy_app(
    url: str, agent: str, package: str, file: str, version_code: str, wait: float
) -> None:
    """Install the application PACKAGE (org.example.app) out of FILE on a device."""
    data = _read(file)
    try:
        application.check(data, os.path.basename(file))
    except application.ApplicationError as error:
        raise click.ClickException(str(error)) from None
    answer = call(
        url,
        "deploy-app",
        wait,
        agent=agent,
        package=package,
        content=base64.b64encode(data).decode(),
        name=os.path.basename(file),
        version_code=version_code,
    )
    _finish(answer, wait)


@admin.command("remove-app")
@_URL
@_wait(60)
@click.argument("agent")
@click.argument("package", callback=_NAMED)
def remove_app(url: str, agent: str, package: str, wait: float) -> None:
    """Remove an application from a device."""
    _finish(call(url, "remove-app", wait, agent=agent, package=package), wait)


@admin.command()
@_URL
@click.argument("agent")
@click.argument("name", required=False, callback=_NAMED)
def fleet(url: str, agent: str, name: str | None) -> None:
    """Move a device to the fleet NAME, made when missing; without NAME: out of all fleets."""
    click.echo(printable(f"fleet {call(url, 'fleet', agent=agent, name=name)['fleet']}"))
