"""`flyve board`, `deploy`, `provision` and `reset`."""

import contextlib
import functools
import os
import signal
import sys
from pathlib import Path

import click

from tools import build, libraries, toolchain
from tools.board import folder
from tools.board import provision as provisioning
from tools.board.board import VirtualBoard
from tools.board.image import ImageError
from tools.board.supervisor import Supervisor
from tools.board.target import open_target

_EXPECTED = (
    build.BuildError,
    folder.BoardError,
    ImageError,
    libraries.LibraryError,
    toolchain.ToolchainError,
)


def _reported(command):
    """Expected errors as one line and exit 1."""

    @functools.wraps(command)
    def wrapper(*args, **kwargs):
        try:
            return command(*args, **kwargs)
        except _EXPECTED as error:
            raise click.ClickException(str(error)) from None

    return wrapper


def _parsed(function):
    # An option's callback that turns ValueError into wrong usage.
    def callback(context, parameter, value):
        try:
            return None if value is None else function(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    return callback


def _access_points(values):
    if not values:
        return None
    aps = {}
    for value in values:
        ssid, colon, psk = value.partition(":")
        if not ssid or not colon:
            raise ValueError(f"{value} must be SSID:PSK, or SSID: for an open network")
        aps[ssid] = psk
    return aps


_DIR = click.argument("directory", metavar="DIR")
_TARGET = click.argument("target")


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
    "--ap",
    multiple=True,
    callback=_parsed(_access_points),
    metavar="SSID:PSK",
    help='an access point in its air; several by repeating  ["flyve:flyve-demo"]',
)
@_reported
def create(directory, mac, flash, ota, ap):
    """Makes a virtual board in DIR, with the firmware installed."""
    tree = build.build()
    try:
        made = VirtualBoard.create(directory, mac, flash, ota, ap)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    count = made.deploy(tree)
    click.echo(f"{directory}: board {_pretty(made.mac)}, {count} files installed")


@board.command()
@_DIR
@click.option(
    "--heap",
    default="112K",
    show_default=True,
    callback=_parsed(folder.parse_size),
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
@_reported
def run(directory, heap, once, cut_after, torn, nvs, pty):
    """Boots the board and prints its console until its power goes off.

    SIGTERM and Ctrl-C cut the power.
    """
    if torn is not None and cut_after is None:
        raise click.UsageError("--torn needs --cut-after")
    output = sys.stdout.fileno()

    def console(data):
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
    )
    with _on_signals(supervisor.power_off):
        code = supervisor.run()
    sys.exit(code)


@board.command()
@_DIR
@_reported
def ls(directory):
    """Lists the files on the board: size and path."""
    for path, size in VirtualBoard(directory).files():
        click.echo(f"{size:>8} {path}")


@board.command()
@_DIR
@click.argument("path")
@_reported
def cat(directory, path):
    """Prints a file on the board as it is."""
    try:
        data = VirtualBoard(directory).read("/" + path.lstrip("/"))
    except FileNotFoundError:
        raise click.ClickException(f"{path}: no such file on the board") from None
    click.echo(data, nl=False)


@board.command()
@_DIR
@_reported
def nvs(directory):
    """Lists the NVS: namespace, key, type and value, separated by tabs; blobs in hex."""
    for namespace, key, kind, value in VirtualBoard(directory).nvs():
        text = value.hex() if isinstance(value, bytes) else value
        click.echo(f"{namespace}\t{key}\t{kind}\t{text}")


@click.command()
@_TARGET
@_reported
def deploy(target):
    """Puts the compiled firmware on the board TARGET."""
    found = open_target(target)
    count = found.deploy(build.build())
    click.echo(f"{target}: {count} files installed")


@click.command()
@_TARGET
@click.option(
    "--deeplink",
    envvar="FLYVE_DEEPLINK",
    metavar="LINK",
    help="the invitation; - reads it from stdin  [FLYVE_DEEPLINK]",
)
@click.option("--email", help="address of the invited user")
@click.option("--serial", help="serial number  [from the MAC address]")
@click.option("--wifi", multiple=True, metavar="SSID", help="a network; several by repeating")
@click.option(
    "--psk",
    multiple=True,
    metavar="PSK",
    help="its passphrase, one for each --wifi; - reads it from stdin  [FLYVE_PSK]",
)
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CA certificate of the server, PEM or DER",
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="a setting")
@_reported
def provision(target, deeplink, email, serial, wifi, psk, ca, settings):
    """Gives the board TARGET its invitation, networks and settings.

    All input is checked before anything is written. Settings are added to those on the board;
    a VALUE is JSON or text, null removes the setting. Networks replace the former ones.
    """
    found = open_target(target)
    plan = provisioning.Plan()
    if wifi and not psk and os.environ.get("FLYVE_PSK"):
        psk = (os.environ["FLYVE_PSK"],)
    try:
        networks = provisioning.pair(wifi, psk)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    pairs = [_split(setting) for setting in settings]
    pairs += [(n, v) for n, v in (("email", email), ("serial", serial)) if v is not None]
    try:
        for name, value in pairs:
            plan.set(name, value)
        if deeplink is not None:
            plan.deeplink(_secret(deeplink, "Deeplink"))
        if networks:
            plan.wifi([(ssid, _secret(key, f"Passphrase of {ssid}")) for ssid, key in networks])
        if ca:
            plan.ca(ca)
        if not plan.files and not plan.entries and not plan.settings:
            raise click.UsageError("nothing to do: give --deeplink, --wifi, --ca or --set")
        warning = provisioning.apply(plan, found)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    if warning:
        click.echo(f"Warning: {warning}", err=True)
    written = [path for path, data in plan.files.items() if data is not None]
    written += [f"NVS {key}" for (_, key), data in plan.entries.items() if data is not None]
    click.echo(f"{target}: wrote {', '.join(sorted(written))}")


@click.command()
@_TARGET
@_reported
def reset(target):
    """Makes the board TARGET blank again, without the backend; firmware and Wi-Fi stay."""
    provisioning.forget(open_target(target))
    click.echo(f"{target}: blank, it waits for a new deeplink")


def _split(setting):
    name, equals, value = setting.partition("=")
    if not name or not equals:
        raise click.UsageError(f"--set {setting}: write it as key=value")
    return name, value


def _secret(value, prompt):
    if value != "-":
        return value
    if sys.stdin.isatty():
        return click.prompt(prompt, hide_input=True, err=True)
    line = sys.stdin.readline()
    if not line.strip():
        raise ValueError(f"{prompt}: there is nothing on stdin")
    return line.rstrip("\r\n")


def _pretty(mac):
    return ":".join(mac[n : n + 2] for n in range(0, 12, 2))


@contextlib.contextmanager
def _on_signals(action):
    signals = (signal.SIGTERM, signal.SIGINT)
    former = {number: signal.signal(number, lambda *_: action()) for number in signals}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
