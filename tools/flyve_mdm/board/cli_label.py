"""`flyve label`: sheets of labels for boards."""

from pathlib import Path

import click

from flyve_mdm import options
from flyve_mdm.board import label_canvas, label_sheet, labels
from flyve_mdm.board.cli import reported
from flyve_mdm.text import counted, printable


@click.command()
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    callback=options.parsed(options.output),
    help="a .pdf, or .svg or .png: a picture for each sheet",
)
@click.option(
    "--paper",
    type=click.Choice(list(label_sheet.PAPERS)),
    default="L7160",
    show_default=True,
    help="of Avery's numbers, or a tape",
)
@click.option("--skip", type=click.IntRange(0), default=0, help="labels of the first sheet")
@click.option("--invitation", is_flag=True, help="with the invitation's QR code, too")
@reported
def label(table, output, paper, skip, invitation):
    """Makes labels from TABLE, which `provision --batch` has written: name, serial number, and the
    set-up network with the QR code that lets a phone join it.

    TABLE is a CSV file with the columns mac, name, serial, passphrase and deeplink.
    """
    size = label_sheet.PAPERS[paper]
    if skip >= size.grid[0] * size.grid[1]:
        raise click.UsageError(f"--skip: a sheet of {paper} has {size.grid[0] * size.grid[1]}")
    try:
        found = labels.read(table)
        if invitation and not any(one.deeplink for one in found):
            raise ValueError(f"{table}: no board in it has an invitation: leave out --invitation")
        made = label_sheet.write(output, size, found, skip, invitation)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    foreign = label_canvas.missing(one.name + one.serial for one in found)
    if foreign and output.suffix.lower() != ".svg":
        click.echo(
            f"Warning: the font has no letters for {printable(foreign)}: as .svg they are drawn "
            "with the fonts of whatever shows it",
            err=True,
        )
    click.echo(f"{counted(len(found), 'label')} on {paper}: {', '.join(map(str, made))}")
