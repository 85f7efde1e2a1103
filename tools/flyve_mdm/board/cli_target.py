"""`flyve deploy`, `reset`, `flash`, `monitor` and `doctor`: boards of any kind."""

import contextlib
import sys
from pathlib import Path

import click

from flyve_mdm.board import doctor as examination
from flyve_mdm.board import flash as flashing
from flyve_mdm.board import monitor as monitoring
from flyve_mdm.board import provision as provisioning
from flyve_mdm.board import setup_network
from flyve_mdm.board.cli import on_signals, reported
from flyve_mdm.board.folder import Folder
from flyve_mdm.board.progress import bar
from flyve_mdm.board.remote import SerialBoard
from flyve_mdm.board.supervisor import Supervisor
from flyve_mdm.board.target import find_port, open_target, switched_on
from flyve_mdm.text import printable

_TARGET = click.argument("target")
_COLOURS = {examination.OK: "green", examination.WARN: "yellow", examination.BAD: "red"}


@click.command()
@_TARGET
@reported
def deploy(target):
    """Puts the compiled firmware on the board TARGET: a virtual board's folder, or a port.

    Files that are there already are not sent again. A board without a passphrase for its set-up
    network gets one, which is told this once.
    """
    with open_target(target) as board:
        tree = board.tree()
        with bar() as progress:
            written = board.deploy(tree, progress)
        made = setup_network.ensure(board)
    count = sum(path.is_file() for path in tree.rglob("*"))
    click.echo(f"{target}: {count} files installed, {written} of them new")
    setup_network.tell(made)


@click.command()
@_TARGET
@reported
def reset(target):
    """Makes the board TARGET blank again, without the backend; firmware and Wi-Fi stay."""
    with open_target(target) as board:
        provisioning.forget(board)
    click.echo(f"{target}: blank, it waits for a new deeplink")


@click.command()
@click.argument("port")
@click.option(
    "--image",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="a whole firmware image (.bin)",
)
@click.option("--erase", is_flag=True, help="blank the whole flash first: NVS and files, too")
@reported
def flash(port, image, erase):
    """Writes a firmware image to the chip on PORT, after checking that it is whole and for that
    chip.

    NVS and files stay, but for those of a whole flash that `flyve image` has made. An image with
    another partition table needs --erase.
    """
    try:
        flashing.parts(flashing.load(image), image.name)
        with bar() as progress:
            done = flashing.write(find_port(port), image, erase, progress)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{port}: {done}")


@click.command()
@_TARGET
@reported
def monitor(target):
    """Shows the console of the board TARGET, with time stamps, until Ctrl-C.

    A board on a port runs on, and is asked for its state when it says nothing; a virtual one is
    switched on for it.
    """
    stamps = monitoring.Stamps(click.echo)
    if Path(target).is_dir():
        supervisor = Supervisor(Folder(Path(target)), stamps.feed)
        with on_signals(supervisor.power_off):
            code = supervisor.run()
        stamps.end()
        sys.exit(code)
    with contextlib.suppress(KeyboardInterrupt), on_signals(_interrupt):
        monitoring.watch(find_port(target), stamps, lambda text: click.echo(text, err=True))


@click.command()
@_TARGET
@reported
def doctor(target):
    """Says what the board TARGET is, and whether the agent can live on it.

    Exits 1 when it cannot. The board is interrupted, and restarted afterwards; a virtual one is
    switched on for it.
    """
    levels = set()
    with contextlib.ExitStack() as stack:
        board = stack.enter_context(SerialBoard(switched_on(target, stack)))
        for finding in examination.examine(board, board.tree()):
            levels.add(finding.level)
            mark = click.style(f"{finding.level:<8}", fg=_COLOURS[finding.level])
            click.echo(f"{mark} {finding.about:<13} {printable(finding.text)}")
    sys.exit(1 if examination.BAD in levels else 0)


def _interrupt():
    raise KeyboardInterrupt
