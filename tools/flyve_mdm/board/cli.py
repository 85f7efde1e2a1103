"""`flyve board`: virtual boards."""

import contextlib
import functools
import os
import signal
import sys
from pathlib import Path

import click

from flyve_mdm import options, text
from flyve_mdm.board import folder, provision
from flyve_mdm.board.board import VirtualBoard
from flyve_mdm.board.image import ImageError
from flyve_mdm.board.supervisor import Supervisor
from flyve_mdm.build import firmware, libraries, toolchain

_EXPECTED = (
    firmware.BuildError,
    folder.BoardError,
    ImageError,
    libraries.LibraryError,
    toolchain.ToolchainError,
)


def reported(command):
    """Expected errors as one line and exit 1."""

    @functools.wraps(command)
    def wrapper(*args, **kwargs):
        try:
            return command(*args, **kwargs)
        except _EXPECTED as error:
            raise click.ClickException(str(error)) from None

    return wrapper


_parsed = options.parsed


def _access_points(values):
    if not values:
        return None
    aps = {}
    for value in values:
        ssid, colon, psk = value.partition(":")
        if not ssid or not colon:
            raise ValueError(f"{value} must be SSID:PSK, or SSID: for an open network")
        provision.check_network(ssid, psk)
        aps[ssid] = psk
    return aps


def _heap(text):
    size = folder.parse_size(text)
    if not _HEAP[0] <= size <= _HEAP[1]:
        raise ValueError(f"{text}: a heap of 16K to 64M is possible, and the agent needs 80K")
    return size


_HEAP = 16 << 10, 64 << 20
_DIR = click.argument("directory", metavar="DIR", callback=_parsed(options.named))


@click.group()
def board():
    """Virtual boards: an ESP32 in a folder."""


@board.command()
@_DIR
@click.option("--mac", callback=_parsed(folder.check_mac), help="MAC address [random]")
@click.option(
    "--flash",
    default="2M",
    show_default=True,
    callback=_parsed(folder.parse_size),
    metavar="SIZE",
    help="size of the filesystem",
)
@click.option("--ota", is_flag=True, help="with two slots for firmware images")
@click.option(
    "--chip",
    type=click.Choice(list(folder.BOOT_PINS)),
    default="ESP32",
    show_default=True,
    help="whose GPIOs it has",
)
@click.option(
    "--ap",
    multiple=True,
    callback=_parsed(_access_points),
    metavar="SSID:PSK",
    help='an access point in its air; several by repeating  ["flyve:flyve-demo"]',
)
@click.option(
    "--image",
    "whole",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="a whole flash, made by `flyve image`, in the place of all that",
)
@reported
def create(directory, mac, flash, ota, chip, ap, whole):
    """Makes a virtual board in DIR, with the firmware installed."""
    if whole:
        try:
            with folder.whole(Path(directory)):
                made = VirtualBoard.from_flash(directory, whole, mac, ap)
        except ValueError as error:
            raise click.ClickException(str(error)) from None
        click.echo(f"{directory}: board {_pretty(made.mac)}, with the flash of {whole.name}")
        return
    tree = firmware.build()
    try:
        with folder.whole(Path(directory)):
            made = VirtualBoard.create(directory, mac, flash, ota, ap, chip)
            count = made.deploy(tree)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except ImageError as error:
        raise click.ClickException(f"{error}: choose a larger --flash") from None
    click.echo(f"{directory}: board {_pretty(made.mac)}, {count} files installed")


@board.command()
@_DIR
@click.option(
    "--heap",
    default="128K",
    show_default=True,
    callback=_parsed(_heap),
    metavar="SIZE",
    help="heap of the firmware",
)
@click.option("--once", is_flag=True, help="stop at the first reset")
@click.option(
    "--cut-after",
    type=click.IntRange(1),
    metavar="N",
    help="power fails at the Nth write or erase of flash or NVS: exit 75",
)
@click.option(
    "--torn",
    type=click.IntRange(0),
    metavar="BYTES",
    help="of which that many bytes still arrive",
)
@click.option(
    "--nvs",
    type=click.Choice(["eager", "lazy"]),
    default="eager",
    show_default=True,
    help="a value is durable when it is set, or at commit()",
)
@click.option(
    "--pty",
    type=click.Path(path_type=Path),
    metavar="LINK",
    help="give it a serial port, which LINK then leads to: mpremote connect LINK",
)
@click.option(
    "--read-us",
    type=click.IntRange(0, 1_000_000),
    metavar="N",
    help="each read of flash takes so many microseconds; the end tells their number",
)
@reported
def run(directory, heap, once, cut_after, torn, nvs, pty, read_us):
    """Boots the board and prints its console until its power goes off.

    SIGTERM and Ctrl-C cut the power.
    """
    if torn is not None and cut_after is None:
        raise click.UsageError("--torn needs --cut-after")
    output, cleaned = sys.stdout.fileno(), text.Console()

    def console(data):
        data = cleaned.feed(data)
        try:
            while data:
                data = data[os.write(output, data) :]
        except BrokenPipeError:
            supervisor.power_off()

    supervisor = Supervisor(
        folder.Folder(Path(directory)),
        console,
        heap=heap,
        once=once,
        cut_after=cut_after,
        torn=torn,
        nvs=nvs,
        port=pty,
        read_us=read_us,
    )
    with on_signals(supervisor.power_off):
        code = supervisor.run()
    sys.exit(code)


@board.command()
@_DIR
@reported
def ls(directory):
    """Lists the files on the board: size and path."""
    for path, size in VirtualBoard(directory).files():
        click.echo(f"{size:>8} {text.printable(path)}")


@board.command()
@_DIR
@click.argument("path")
@reported
def cat(directory, path):
    """Prints a file on the board as it is. PATH may be written as `ls` shows it."""
    files, path = VirtualBoard(directory), "/" + path.lstrip("/")
    alike = [name for name, _ in files.files() if text.printable(name) == path]
    try:
        data = files.read(alike[0] if len(alike) == 1 else path)
    except FileNotFoundError:
        shown = text.printable(path)
        raise click.ClickException(f"{shown}: no such file on the board") from None
    click.echo(data, nl=False)


@board.command()
@_DIR
@reported
def nvs(directory):
    """Lists the NVS: namespace, key, type and value, separated by tabs; blobs in hex."""
    for namespace, key, kind, value in VirtualBoard(directory).nvs():
        shown = value.hex() if isinstance(value, bytes) else value
        name = f"{text.printable(namespace)}\t{text.printable(key)}"
        click.echo(f"{name}\t{kind}\t{shown}")


def _pretty(mac):
    return ":".join(mac[n : n + 2] for n in range(0, 12, 2))


@contextlib.contextmanager
def on_signals(action):
    """Calls the action, instead of ending, when somebody ends this command."""
    # A command that was started in the background of a script has SIGINT ignored: not here, for
    # who sends it means it. One that was started by nohup shall outlive its terminal.
    signals = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    former = {number: signal.signal(number, lambda *_: action()) for number in signals}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
