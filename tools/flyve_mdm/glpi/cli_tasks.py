"""`flyve admin deploy-file` and its like: tasks, and how they end."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from flyve_mdm import options, tables
from flyve_mdm.build import application
from flyve_mdm.glpi import deployments, fleets, reasons, tasks
from flyve_mdm.glpi.connection import connected, target_argument, url_option, wait_option
from flyve_mdm.glpi.fleets import Fleet
from flyve_mdm.glpi.session import Session
from flyve_mdm.text import printable

_NAMED = options.parsed(options.named)
_PATH = click.Path(exists=True, dir_okay=False, readable=True)


def _finish(session: Session, target: tasks.Target, done: tasks.Outcome, wait: float) -> None:
    click.echo(printable(f"task {done.task}: {done.status}"))
    if wait and not done.done:
        why = None
        if isinstance(target, Fleet):
            why = f"`flyve admin list --why --fleet {shlex.quote(target.name)}` tells of which"
        elif done.status in reasons.FAILED:
            why = reasons.why(session, target, done.task, done.status)
        elif not done.final and not target.row["is_online"]:
            why = "the device is offline, and gets it when it is back"
        elif not done.final:
            why = f"`flyve admin tasks {target.id}` tells how it goes on"
        told = f": {why}" if why else ""
        raise click.ClickException(printable(f"the task is not done: {done.status}{told}"))


@click.command("deploy-file")
@url_option
@wait_option(60)
@click.option(
    "--destination", default="%SDCARD%/", show_default=True, callback=_NAMED, help="A directory."
)
@click.option(
    "--name",
    callback=options.parsed(options.file_name),
    help="Its name on the device (default: the file's).",
)
@target_argument
@click.argument("file", type=_PATH)
def deploy_file(
    url: str | None, agent: str, file: str, destination: str, name: str | None, wait: float
) -> None:
    """Send FILE to a device."""
    data = Path(file).read_bytes()
    name = name or os.path.basename(file)
    with connected(url) as session:
        found = fleets.target(session, agent)
        done = deployments.deploy_file(session, found, data, name, destination, wait)
        _finish(session, found, done, wait)


@click.command("remove-file")
@url_option
@wait_option(60)
@target_argument
@click.argument("path", callback=_NAMED)
def remove_file(url: str | None, agent: str, path: str, wait: float) -> None:
    """Remove a file, by its full PATH such as %SDCARD%/name, from a device."""
    with connected(url) as session:
        found = fleets.target(session, agent)
        _finish(session, found, deployments.remove_file(session, found, path, wait), wait)


@click.command("deploy-app")
@url_option
@wait_option(60)
@click.option("--version-code", default="1", show_default=True, callback=_NAMED)
@target_argument
@click.argument("package", callback=_NAMED)
@click.argument("file", type=_PATH)
def deploy_app(
    url: str | None, agent: str, package: str, file: str, version_code: str, wait: float
) -> None:
    """Install the application PACKAGE (org.example.app) out of FILE on a device."""
    data, name = Path(file).read_bytes(), os.path.basename(file)
    try:
        application.check(data, name)
    except application.ApplicationError as error:
        raise click.ClickException(str(error)) from None
    with connected(url) as session:
        found = fleets.target(session, agent)
        done = deployments.deploy_app(session, found, data, package, version_code, name, wait)
        _finish(session, found, done, wait)


@click.command("remove-app")
@url_option
@wait_option(60)
@target_argument
@click.argument("package", callback=_NAMED)
def remove_app(url: str | None, agent: str, package: str, wait: float) -> None:
    """Remove an application from a device."""
    with connected(url) as session:
        found = fleets.target(session, agent)
        _finish(session, found, deployments.remove_app(session, found, package, wait), wait)


@click.command("policy")
@url_option
@wait_option(60)
@target_argument
@click.argument("symbol", callback=_NAMED)
@click.argument("value", callback=_NAMED)
def policy(url: str | None, agent: str, symbol: str, value: str, wait: float) -> None:
    """Give a device the policy SYMBOL (periodicGeolocation) with a VALUE, or another value."""
    with connected(url) as session:
        found = fleets.target(session, agent)
        _finish(session, found, tasks.policy(session, found, symbol, value, wait), wait)


@click.command("tasks")
@url_option
@target_argument
def tasks_(url: str | None, agent: str) -> None:
    """List the tasks of a device, with those of its fleet, and how far each is."""
    with connected(url) as session:
        rows = tasks.listed(session, fleets.target(session, agent))
    heading = ("task", "policy", "value", "of", "status")
    tables.show(heading, [[row[name] for name in heading] for row in rows])


@click.command("remove-task")
@url_option
@click.argument("task", type=click.IntRange(1))
def remove_task(url: str | None, task: int) -> None:
    """Take back TASK, by its number: a policy is reverted, what was deployed is removed."""
    with connected(url) as session:
        tasks.remove(session, task)
    click.echo(f"task {task}: removed")


COMMANDS = (deploy_file, remove_file, deploy_app, remove_app, policy, tasks_, remove_task)
