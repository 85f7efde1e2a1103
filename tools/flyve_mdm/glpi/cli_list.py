"""`flyve admin list`: all agents, or those that a filter leaves; once, or again and again."""

from __future__ import annotations

import contextlib
import csv
import json
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.progress import Progress

from flyve_mdm import options, tables
from flyve_mdm.glpi import listing
from flyve_mdm.glpi.connection import connected, url_option
from flyve_mdm.glpi.errors import GlpiError
from flyve_mdm.glpi.reasons import FAILED
from flyve_mdm.glpi.session import Session
from flyve_mdm.text import printable

Table = tuple[tuple[str, ...], list[tuple[Any, ...]]]
_HEADING = ("id", "serial", "e-mail", "online", "status", "fleet", "last contact", "tasks")
_WHY = ("id", "serial", "task", "policy", "status", "why")
_STYLES = {"yes": "green"}
_FORMULA = ("=", "+", "-", "@")


@click.command("list")
@url_option
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values.")
@click.option("--why", is_flag=True, help="List the tasks that failed, and why.")
@click.option("--failed", is_flag=True, help="Only devices of which a task failed.")
@click.option("--fleet", callback=options.parsed(options.named), help="Only devices of a fleet.")
@click.option(
    "--offline-for",
    metavar="TIME",
    callback=options.parsed(options.duration),
    help="Only devices that are offline and were not heard of for 90s, 30m, 1h, 2d.",
)
@click.option(
    "--watch",
    metavar="SECONDS",
    type=click.FloatRange(0.1, 86400),
    callback=options.parsed(options.finite),
    help="Show it again every so many seconds, until Ctrl-C.",
)
def list_(
    url: str | None, as_json: bool, as_csv: bool, why: bool, failed: bool, fleet: str | None,
    offline_for: timedelta | None, watch: float | None,
) -> None:  # fmt: skip
    """List the enrolled devices."""
    if as_json + as_csv + bool(watch) > 1:
        raise click.UsageError("--json, --csv and --watch: choose one")
    wanted = listing.Filter(fleet, failed or why, offline_for)
    with connected(url) as session:
        if watch:
            _watch(session, wanted, why, watch)
            return
        lacking = None if why else _left_out
        with _progress() as progress:
            rows = listing.collect(session, wanted, why or as_json, as_json, progress, lacking)
    if as_json:
        click.echo(json.dumps(rows, indent=2).replace("\x7f", "\\u007f"))
    elif as_csv:
        _csv(*_table(rows, why))
    else:
        tables.show(*_table(rows, why), styles=_STYLES)


def _left_out(text: str) -> None:
    click.echo(f"left out: {printable(text)}", err=True)


@contextlib.contextmanager
def _progress() -> Iterator[listing.Progress]:
    """A bar on a terminal, for a list of several pages."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        row = bar.add_task("agents", visible=False)

        def told(count: int, total: int) -> None:
            bar.update(row, completed=count, total=total, visible=count < total)

        yield told


def _table(rows: list[dict[str, Any]], why: bool) -> Table:
    if why:
        return _WHY, list(_failures(rows))
    shown = []
    for row in rows:
        tasks = ", ".join(f"{t['symbol']} {t['status']}" for t in row["tasks"])
        online = "yes" if row["online"] else "no"
        flags = "".join(f" {flag}" for flag in ("lock", "wipe") if row[flag])
        status, contact = row["status"] + flags, row["last_contact"] or ""
        named = row["id"], row["serial"], row["email"]
        shown.append((*named, online, status, row["fleet"], contact, tasks))
    return _HEADING, shown


def _failures(rows: list[dict[str, Any]]) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        for task in row["tasks"]:
            if task["why"] or task["status"] in FAILED:
                why = task["why"] or f"not told yet: flyve admin inventory {row['id']}"
                yield row["id"], row["serial"], task["task"], task["symbol"], task["status"], why


def _csv(heading: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(heading)
    for row in rows:
        writer.writerow(map(_cell, row))


def _cell(value: object) -> str:
    text = printable(str(value))
    # A spreadsheet would calculate what a device or a guest calls itself.
    return f"'{text}" if text[:1] in _FORMULA else text


def _watch(session: Session, wanted: listing.Filter, why: bool, seconds: float) -> None:
    rows = listing.collect(session, wanted, why)
    terminal = sys.stdout.isatty()
    with (
        contextlib.suppress(KeyboardInterrupt),
        Live(auto_refresh=False, vertical_overflow="ellipsis")
        if terminal
        else contextlib.nullcontext() as live,
    ):
        while True:
            if terminal:
                live.update(tables.drawn(*_table(rows, why), styles=_STYLES), refresh=True)
            else:
                tables.show(*_table(rows, why))
                click.echo()
                sys.stdout.flush()
            time.sleep(seconds)
            try:
                rows = listing.collect(session, wanted, why)
            except GlpiError as error:
                # The next look may be better; what is shown stays.
                click.echo(f"{time.strftime('%H:%M:%S')} {printable(str(error))}", err=True)
