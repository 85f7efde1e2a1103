"""`flyve image`: a whole flash for a board, in one file."""

from pathlib import Path

import click

from flyve_mdm import options
from flyve_mdm.board import boards_table, factory, labels, provision, setup_network
from flyve_mdm.board.cli import reported
from flyve_mdm.board.cli_plan import planned
from flyve_mdm.board.folder import check_mac
from flyve_mdm.board.image import replace
from flyve_mdm.build import firmware


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
        return _batch(base, tree, table, output, plan)
    try:
        options.output(output)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    size = _write(base, tree, plan, output)
    click.echo(f"{output}: {size} bytes for {factory.describe(base)}: {_command(base, output)}")


def _batch(base, tree, table, folder, common):
    try:
        rows = boards_table.read(table, common, "name")
    except boards_table.TableError as error:
        raise click.ClickException(str(error)) from None
    for row in rows:
        if row.chip and row.chip != base.chip:
            row.fault = row.fault or f"it is for an {row.chip}, the image for an {base.chip}"
        if "/" in row.name or row.name.startswith("."):
            row.fault = row.fault or f"{row.name!r} cannot be the name of a file"
    faults = [f"line {row.line}, {row.title}: {row.fault}" for row in rows if row.fault]
    if faults:
        raise click.ClickException("; ".join(faults))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = []
    for row in rows:
        plan = row.plan
        if row.mac and plan.settings.get("setup") != "off":
            psk = setup_network.passphrase()
            plan.entries[setup_network.KEY] = psk.encode()
            link = (plan.files.get(provision.DEEPLINK) or b"").decode()
            mac = check_mac(row.mac)
            serial = row.serial or f"ESP32-{mac.upper()}"
            made.append(labels.Label(mac, row.name, serial, psk, link))
        size = _write(base, tree, plan, folder / f"{row.name}.bin")
        click.echo(f"{folder / f'{row.name}.bin'}: {size} bytes")
    if made:
        labels.add(folder / "labels.csv", made)
    click.echo(
        f"{len(rows)} images for {factory.describe(base)}: "
        f"{_command(base, folder / f'{rows[0].name}.bin')} and so on"
    )


def _write(base, tree, plan, path) -> int:
    plan.merge(b"")
    whole = factory.compose(base, tree, plan.files, plan.entries)
    replace(path, whole)  # for its owner only: it may hold passphrases and an invitation
    return len(whole)


def _command(base, path) -> str:
    chip = base.chip.lower().replace("-", "")
    return f"esptool --chip {chip} write-flash 0 {path}"
