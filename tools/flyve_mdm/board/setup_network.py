"""The network that a blank board opens for its set-up page: name, passphrase and QR code."""

import io
import secrets
import sys
from collections.abc import Callable

import click
import segno
from segno.helpers import make_wifi_data

from flyve_mdm.board.target import Target

KEY = ("flyve", "setup_psk")
# As firmware/flyve/jobs/access_point.py has them: nothing that looks like another one.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
LENGTH = 10


def passphrase() -> str:
    """A new passphrase; nothing that the air shows of a board leads to it."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def name(mac: str) -> str:
    """The network's name, of the board's MAC address in hex."""
    return f"Flyve-{mac[-4:].upper()}"


def code(mac: str, psk: str) -> str:
    """The text of the QR code that lets a phone join."""
    return make_wifi_data(name(mac), psk, "WPA")


def ensure(board: Target) -> tuple[str, str] | None:
    """Gives a board its passphrase, if it has none; returns its MAC and the passphrase then."""
    if board.entry(*KEY):
        return None
    made = passphrase()
    board.change(entries={KEY: made.encode()})
    return board.mac, made


def tell(made: tuple[str, str] | None) -> None:
    """Shows the network of a board that has got its passphrase just now, as ensure() returns
    it."""
    if made:
        show(*made, click.echo, sys.stdout.isatty())


def show(mac: str, psk: str, say: Callable[[str], None], picture: bool) -> None:
    """Tells how to join the network, with a QR code when there can be a picture."""
    text = code(mac, psk)
    if picture:
        out = io.StringIO()
        segno.make(text, error="m", micro=False).terminal(out=out, border=4, compact=True)
        say("")
        for line in out.getvalue().splitlines():
            # Light on dark, whatever the terminal's colours are.
            say(click.style(line, fg="bright_white", bg="black"))
    say(f"set-up network {name(mac)}, passphrase {psk}: it is told this once, keep it")
    if not picture:
        say(f"its QR code: {text}")
