"""The options of the commands that give boards what they need, as `flyve provision` does."""

import functools
import os
import sys
from pathlib import Path

import click

from flyve_mdm.board import provision as provisioning

_OPTIONS = (
    click.option(
        "--deeplink",
        envvar="FLYVE_DEEPLINK",
        metavar="LINK",
        help="the invitation; - reads it from stdin  [FLYVE_DEEPLINK]",
    ),
    click.option("--email", help="address of the invited user"),
    click.option("--serial", help="serial number  [from the MAC address]"),
    click.option("--wifi", multiple=True, metavar="SSID", help="a network; several by repeating"),
    click.option(
        "--psk",
        multiple=True,
        metavar="PSK",
        help="its passphrase, one for each --wifi; - reads it from stdin  [FLYVE_PSK]",
    ),
    click.option(
        "--ca",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="CA certificate of the server, PEM or DER",
    ),
    click.option(
        "--setup-off/--setup-on",
        default=None,
        help="whether it opens its set-up network while it is blank  [on]",
    ),
    click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="a setting"),
)


def planned(command):
    """Gives a command the options of a board's invitation, networks and settings, as `plan`, a
    provision.Plan in which they are checked."""

    @functools.wraps(command)
    def wrapper(*args, deeplink, email, serial, wifi, psk, ca, setup_off, settings, **kwargs):
        if wifi and not psk and os.environ.get("FLYVE_PSK"):
            psk = (os.environ["FLYVE_PSK"],)
        try:
            networks = provisioning.pair(wifi, psk)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        pairs = [_split(setting) for setting in settings]
        pairs += [(n, v) for n, v in (("email", email), ("serial", serial)) if v is not None]
        plan = provisioning.Plan()
        try:
            for name, value in pairs:
                plan.set(name, value)
            if setup_off is not None:
                plan.set("setup", "off" if setup_off else "null")
            if deeplink is not None:
                plan.deeplink(_secret(deeplink, "Deeplink"))
            if networks:
                plan.wifi([(s, _secret(key, f"Passphrase of {s}")) for s, key in networks])
            if ca:
                plan.ca(ca)
            return command(*args, plan=plan, **kwargs)
        except ValueError as error:
            raise click.ClickException(str(error)) from None

    for option in reversed(_OPTIONS):
        wrapper = option(wrapper)
    return wrapper


def check_shared(plan: provisioning.Plan) -> None:
    """Raises click.UsageError when the options of a batch hold what only one board can have."""
    if provisioning.DEEPLINK in plan.files:
        raise click.UsageError(
            "an invitation serves one board: give it in the table, and neither --deeplink nor "
            "FLYVE_DEEPLINK"
        )
    if plan.settings.get("serial"):
        raise click.UsageError("a serial number is one board's: give it in the table")


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
