"""`flyve image`: a whole flash for a board, in one file."""

from pathlib import Path

import click

from flyve_mdm import options
from flyve_mdm.board import factory
from flyve_mdm.board.cli import reported
from flyve_mdm.board.cli_plan import planned
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
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    callback=options.parsed(options.output),
    help="the file to write",
)
@planned
@reported
def image(source, slots, output, plan):
    """Makes one file with all that a board's flash has to hold: MicroPython, the agent, settings
    and networks.

    Without an invitation it is good for any number of boards, which offer their set-up page then;
    it is written by `esptool write-flash 0 FILE`.
    """
    base = factory.base(source, slots)
    plan.merge(b"")
    tree = firmware.build(factory.ARCHES[base.chip])
    whole = factory.compose(base, tree, plan.files, plan.entries)
    replace(output, whole)
    output.chmod(0o600)  # it may hold passphrases and an invitation
    click.echo(
        f"{output}: {len(whole)} bytes for {factory.describe(base)}: esptool --chip "
        f"{base.chip.lower().replace('-', '')} write-flash 0 {output}"
    )
