"""`flyve admin deploy-file` and its like: tasks, and how they end."""

from __future__ import annotations

import os
from pathlib import Path

import click

from flyve_mdm import options
from flyve_mdm.build import application
from flyve_mdm.glpi import agents, reasons, tasks
from flyve_mdm.glpi.connection import agent_argument, connected, url_option, wait_option
from flyve_mdm.glpi.session import Session
from flyve_mdm.text import printable

_NAMED = options.parsed(options.named)
_PATH = click.Path(exists=True, dir_okay=False, readable=True)


def _finish(session: Session, agent: agents.Agent, done: tasks.Outcome, wait: float) -> None:
    click.echo(printable(f"task {done.task}: {done.status}"))
    if wait and done.status != "done":
        why = None
        if done.status in reasons.FAILED:
            why = reasons.why(session, agent, done.task, done.status)
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
@agent_argument
@click.argument("file", type=_PATH)
def deploy_file(
    url: str | None, agent: str, file: str, destination: str, name: str | None, wait: float
) -> None:
    """Send FILE to a device."""
    data = Path(file).read_bytes()
    name = name or os.path.basename(file)
    with connected(url) as session:
        found = agents.find(session, agent)
        done = tasks.deploy_file(session, found, data, name, destination, wait)
        _finish(session, found, done, wait)


@click.command("remove-file")
@url_option
@wait_option(60)
@agent_argument
@click.argument("path", callback=_NAMED)
def remove_file(url: str | None, agent: str, path: str, wait: float) -> None:
    """Remove a file, by its full PATH such as %SDCARD%/name, from a device."""
    with connected(url) as session:
        found = agents.find(session, agent)
        _finish(session, found, tasks.remove_file(session, found, path, wait), wait)


@click.command("deploy-app")
@url_option
@wait_option(60)
@click.option("--version-code", default="1", show_default=True, callback=_NAMED)
@agent_argument
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
        found = agents.find(session, agent)
        done = tasks.deploy_app(session, found, data, package, version_code, name, wait)
        _finish(session, found, done, wait)


@click.command("remove-app")
@url_option
@wait_option(60)
@agent_argument
@click.argument("package", callback=_NAMED)
def remove_app(url: str | None, agent: str, package: str, wait: float) -> None:
    """Remove an application from a device."""
    with connected(url) as session:
        found = agents.find(session, agent)
        _finish(session, found, tasks.remove_app(session, found, package, wait), wait)


COMMANDS = (deploy_file, remove_file, deploy_app, remove_app)
