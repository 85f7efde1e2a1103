"""`flyve image`: a whole flash for a board, in one file."""

import shlex
from pathlib import Path

import click

from flyve_mdm import options
from flyve_mdm.board import boards_table, factory, labels, provision, setup_network
from flyve_mdm.board.cli import reported
from flyve_mdm.board.cli_plan import check_shared, planned
from flyve_mdm.board.csv_file import TableError
from flyve_mdm.board.image import replace
from flyve_mdm.build import firmware
from flyve_mdm.text import counted, printable

_LONGEST = 200  # bytes of a name, for replace() puts some more around it


@click.command()
@click.option(
    "--firmware",
    "source",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="MicroPython's image for the board (.bin), whole",
)
@click.option(
    "--slots",
    type=click.IntRange(1, 2),
    default=1,
    show_default=True,
    help="2: with our own partition table, so that MicroPython can be updated over the air",
)
@click.option(
    "--batch",
    "table",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="a file for each row of a table, as `flyve provision --batch` has it",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="the file to write; with --batch the folder",
)
@planned
@reported
def image(source, slots, table, output, plan):
    """Makes one file with all that a board's flash has to hold: MicroPython, the agent, settings
    and networks.

    Without an invitation it is good for any number of boards, which offer their set-up page then;
    it is written by `esptool write-flash 0 FILE`. With --batch each row of a table makes a file of
    its own, by its name; where the row has the board's mac, too, what `flyve label` needs lies in
    labels.csv beside them.
    """
    base = factory.base(source, slots)
    tree = firmware.build(factory.ARCHES[base.chip])
    if table:
        check_shared(plan)
        return _batch(base, tree, table, output, plan)
    try:
        options.output(output)
        if output.exists() and output.samefile(source):
            raise ValueError(f"{output} is MicroPython's image: name another file")
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    plan.merge(b"")
    size = _write(base, tree, plan, output)
    click.echo(f"{output}: {size} bytes for {factory.describe(base)}: {_command(base, output)}")


def _batch(base, tree, table, folder, common):
    label_file = folder / "labels.csv"
    try:
        rows = boards_table.read(table, common, "name")
        known = labels.known(label_file)
    except TableError as error:
        raise click.ClickException(str(error)) from None
    for row in rows:
        row.fault = row.fault or _fault(row, base)
    faults = [f"line {row.line}, {row.title}: {row.fault}" for row in rows if row.fault]
    if faults:
        raise click.ClickException("\n".join(map(printable, faults)))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for row in rows:
        plan, path = row.plan, folder / f"{row.name}.bin"
        if row.mac and plan.settings.get("setup") != "off":
            # The same as before: it may stand on the board, and on its label, already.
            before = known.get(row.mac)
            psk = before and before.passphrase or setup_network.passphrase()
            plan.entries[setup_network.KEY] = psk.encode()
            link = (plan.files.get(provision.DEEPLINK) or b"").decode()
            serial = row.serial or provision.serial_of(row.mac)
            # First: a passphrase that is on a board and in no file is lost.
            labels.add(label_file, [labels.Label(row.mac, row.name, serial, psk, link)])
        size = _write(base, tree, plan, path)
        click.echo(printable(f"{path}: {size} bytes"))
    first = _command(base, folder / f"{rows[0].name}.bin")
    click.echo(f"{counted(len(rows), 'image')} for {factory.describe(base)}: {first} and so on")


def _fault(row, base) -> str:
    """Why a row makes no file, or ""."""
    if row.chip and row.chip != base.chip:
        return f"it is for an {row.chip}, the image for an {base.chip}"
    if "/" in row.name or row.name.startswith(".") or len(row.name.encode()) > _LONGEST:
        return f"{row.name!r} cannot be the name of a file"
    try:
        row.plan.merge(b"")
    except ValueError as error:
        return str(error)
    return ""


def _write(base, tree, plan, path) -> int:
    whole = factory.compose(base, tree, plan.files, plan.entries)
    replace(path, whole)  # for its owner only: it may hold passphrases and an invitation
    return len(whole)


def _command(base, path) -> str:
    chip = base.chip.lower().replace("-", "")
    return f"esptool --chip {chip} write-flash 0 {shlex.quote(str(path))}"
