"""`flyve provision`: one board, or each of a table."""

import contextlib
import shlex
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

from flyve_mdm import options, tables
from flyve_mdm.board import boards_table, labels, results, setup_network
from flyve_mdm.board import provision as provisioning
from flyve_mdm.board.batch import Batch
from flyve_mdm.board.cli import reported
from flyve_mdm.board.cli_plan import check_shared, planned
from flyve_mdm.board.csv_file import TableError
from flyve_mdm.board.target import open_target
from flyve_mdm.glpi.connection import connected, url_option
from flyve_mdm.glpi.presence import Presence
from flyve_mdm.text import counted, printable

_MOST = 64  # boards at a time
_COLOURS = {results.ONLINE: "green", results.DONE: "green", results.FAILED: "red"}


@click.command()
@click.argument("target", required=False)
@planned
@click.option(
    "--batch",
    "table",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="many boards: a CSV file with a row for each",
)
@click.option(
    "--jobs", type=click.IntRange(1, _MOST), default=4, show_default=True, help="boards at a time"
)
@click.option("--deploy", is_flag=True, help="put the firmware on each board, too")
@click.option(
    "--wait-online",
    "wait",
    type=click.IntRange(1),
    metavar="SECONDS",
    help="wait for each board until the backend sees it",
)
@url_option
@click.option(
    "--result",
    type=click.Path(path_type=Path),
    callback=options.parsed(options.output),
    help="what became of each board, a CSV file  [the table's name with .result.csv]",
)
@click.option("--keep-going", is_flag=True, help="leave out rows that cannot be used")
@reported
def provision(target, plan, table, jobs, deploy, wait, url, result, keep_going):
    """Gives the board TARGET its invitation, networks and settings.

    All input is checked before anything is written. Settings are added to those on the board;
    a VALUE is JSON or text, null removes the setting. Networks replace the former ones. A board
    without a passphrase for its set-up network gets one, which is told this once.

    With --batch each row of a table is a board: its columns are port (a TARGET), name, chip, mac,
    and what the options are called: deeplink, email, serial, ca, and wifi, psk, set, each also
    several times. The options hold for all rows that say nothing else. Run again it goes on with
    the boards that are not done. What `flyve label` needs lies in the table's .labels.csv then.
    """
    if bool(target) == bool(table):
        raise click.UsageError("give a TARGET, or --batch with a table")
    if table:
        check_shared(plan)
        result = result or table.with_suffix(".result.csv")
        with contextlib.ExitStack() as stack:
            online = Presence(stack.enter_context(connected(url))) if wait else None
            how = {"deploy": deploy, "wait": wait, "online": online}
            _batch(table, result, plan, jobs, keep_going, how)
        return
    if deploy or wait or result or keep_going:
        text = "--deploy, --wait-online, --result and --keep-going belong to --batch"
        raise click.UsageError(text)
    if not plan:
        raise click.UsageError("nothing to do: give --deeplink, --wifi, --ca or --set")
    with open_target(target) as board:
        warning = provisioning.apply(plan, board)
        off = plan.settings.get("setup") == "off"
        made = None if off else setup_network.ensure(board)
    if warning:
        click.echo(f"Warning: {warning}", err=True)
    written = [path for path, data in plan.files.items() if data is not None]
    written += [f"NVS {key}" for (_, key), data in plan.entries.items() if data is not None]
    click.echo(f"{target}: wrote {', '.join(sorted(written))}")
    setup_network.tell(made)


def _batch(table, path, common, jobs, keep_going, how) -> None:
    label_file = table.with_suffix(".labels.csv")
    try:
        rows = boards_table.read(table, common)
        found = results.resume(path, rows)
        labels.known(label_file)
    except TableError as error:
        raise click.ClickException(str(error)) from None
    if any(row.fault for row in rows) and not keep_going:
        for one in found:
            if not one.row.fault and one.state == results.WAITING:
                one.reason = "other rows cannot be used: nothing was written"
    else:
        with _shown() as (told, moved):
            how |= {"told": told, "moved": moved, "stopping": _stopping}
            batch = Batch(path, found, label_file, **how)
            try:
                batch.run(jobs)
            except KeyboardInterrupt:
                click.echo("interrupted: the same command goes on with the rest", err=True)
    results.write(path, found)
    _summary(found, path)
    if label_file.exists():
        name = shlex.quote(str(label_file))
        click.echo(f"for their labels: flyve label {name} -o sheet.pdf")
    good = (results.ONLINE,) if how["wait"] else (results.ONLINE, results.DONE)
    if any(one.state not in good for one in found):
        sys.exit(1)


def _stopping() -> None:
    text = "interrupted: what is being written comes to its end; Ctrl-C again breaks it off"
    click.echo(text, err=True)


@contextlib.contextmanager
def _shown() -> Iterator[tuple]:
    """A line for each board that is done; on a terminal also a bar for each that is not."""
    console = Console(stderr=True, highlight=False)
    texts = (
        TextColumn(text, markup=False, table_column=Column(no_wrap=True))
        for text in ("{task.fields[title]}", "{task.description}")
    )
    columns = *texts, BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bars = {}

        def moved(one, what, done, total):
            if one.row.line not in bars:
                title = printable(one.row.title)
                bars[one.row.line] = progress.add_task(what, title=title, total=total)
            progress.update(bars[one.row.line], description=what, completed=done, total=total)

        def told(one):
            if one.row.line in bars:
                progress.remove_task(bars.pop(one.row.line))
            console.print(_line(one), markup=False, soft_wrap=True)

        yield told, moved


def _line(one) -> str:
    reason = f": {one.reason}" if one.reason else ""
    return printable(f"{one.row.title}: {one.state}{reason}")


def _summary(found, path) -> None:
    heading = ("line", "board", "port", "state", "seconds", "reason")
    rows = []
    for one in found:
        cells = one.cells()
        rows.append([cells[n] if n != "board" else one.row.title for n in heading])
    tables.show(heading, rows, styles=_COLOURS)
    count = Counter(one.state for one in found)
    text = ", ".join(f"{number} {state}" for state, number in count.items())
    click.echo(f"{counted(len(found), 'board')}: {text}; see {path}")
