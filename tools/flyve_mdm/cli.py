"""The `flyve` command: collects the commands of the other modules, each loaded when asked for."""

import contextlib
import importlib
import os
import signal
import sys
import threading

import click

from flyve_mdm import SETUP, VERSION, patience

_GRACE = 10  # seconds
_COMMANDS = {
    "admin": "flyve_mdm.glpi.cli",
    "backend": "flyve_mdm.backend.cli",
    "bench": "flyve_mdm.measure.bench",
    "board": "flyve_mdm.board.cli",
    "deeplink": "flyve_mdm.deeplink",
    "demo": "flyve_mdm.demo",
    "deploy": "flyve_mdm.board.cli_target",
    "doctor": "flyve_mdm.board.cli_target",
    "firmware": "flyve_mdm.build.firmware_image",
    "flash": "flyve_mdm.board.cli_target",
    "fleet": "flyve_mdm.measure.fleet",
    "image": "flyve_mdm.board.cli_image",
    "invite": "flyve_mdm.glpi.cli",
    "label": "flyve_mdm.board.cli_label",
    "monitor": "flyve_mdm.board.cli_target",
    "provision": "flyve_mdm.provision",
    "reset": "flyve_mdm.board.cli_target",
    "size": "flyve_mdm.measure.size",
}


class _Commands(click.Group):
    """Loads a command's module at its use: one that cannot load does not break the others."""

    def list_commands(self, ctx):
        return sorted(name for name in _COMMANDS if self._load(name)[0])

    def get_command(self, ctx, name):
        if name not in _COMMANDS:
            return None
        command, problem = self._load(name)
        if problem:
            raise click.ClickException(f"`{name}` is not available here: {problem}")
        return command

    def _load(self, name):
        try:
            return getattr(importlib.import_module(_COMMANDS[name]), name), None
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("flyve_mdm"):
                return None, f"this version has no {error.name}"
            return None, f"{error.name} is missing; {SETUP}"
        except (AttributeError, ImportError) as error:
            return None, f"{error}; {SETUP}"


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="flyve")
def cli():
    """Flyve MDM agent for ESP32: virtual boards, real boards and a simulated backend.

    FLYVE_SLOW=4 in the environment makes all deadlines four times as long, for slow boards or
    lines.
    """
    try:
        patience.factor()
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def main(args=None):
    """Entry point. Exits 0 when done, 1 with one line on stderr, 2 on wrong usage."""
    _clean_up_when_ended()
    with contextlib.suppress(AttributeError):
        # A name that the terminal's encoding has no letters for is no reason to end.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        cli(args=args, prog_name="flyve")
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        where = f": {error.filename}" if error.filename else ""
        click.echo(f"Error: {reason}{where}", err=True)
        sys.exit(1)


def _clean_up_when_ended():
    # So that each `with` and `finally` runs: boards go off, folders are removed.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)


def _end(number, _):
    # What cannot be cleaned up in that time, keeper.py cleans up.
    late = threading.Timer(_GRACE, os._exit, [128 + number])
    late.daemon = True
    late.start()
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
