"""Hardware in the loop: what `make hil` may be told, checked before any test."""

from __future__ import annotations

import os
import socket

import pytest

from flyve_mdm import options
from flyve_mdm.board.folder import BoardError
from flyve_mdm.board.target import find_port
from host_tests.kit.boards.virtual import PSK, SSID
from host_tests.kit.boards.wired import WiredBoards


def add_options(parser) -> None:
    group = parser.getgroup("hil", "hardware in the loop")
    group.addoption("--hil", action="store_true", help="on a board behind a serial port")
    group.addoption("--port", help="its port; none: a virtual board on a pseudo-terminal")
    group.addoption("--wifi-ssid", help="a network that it and this host are in")
    group.addoption("--host", help="this host's address there; the passphrase: FLYVE_PSK")
    group.addoption("--bind", help="what backend, broker and NTP listen on, when not on that")
    group.addoption("--reset", help="a command that resets the board, in place of RTS")


def check(option) -> None:
    """Completes the options; ends pytest with one line when they cannot work."""
    try:
        if option.port:
            option.hil, option.port = True, find_port(option.port)
            _check_port(option)
        elif option.reset:
            raise BoardError("RESET= is for a board behind a port: PORT=... is missing")
        _check_address(option)
    except BoardError as error:
        pytest.exit(str(error), returncode=1)


def boards(option, folder) -> WiredBoards:
    """The board behind the port, or a virtual one."""
    wifi = SSID, PSK
    if option.port:
        wifi = option.wifi_ssid, os.environ.get("FLYVE_PSK", "")
    given = {"host": option.host, "bind": option.bind}
    backend = {name: value for name, value in given.items() if value}
    return WiredBoards(option.port, folder, wifi, backend, option.reset)


def _check_port(option) -> None:
    port = option.port
    if not option.host or not option.wifi_ssid:
        raise BoardError(
            f"{port} needs a network that leads here: make hil PORT={port} WIFI_SSID=... "
            "WIFI_PSK=... HOST=<this host's address in it>"
        )
    if port.startswith("socket://") and not option.reset:
        raise BoardError(f"{port} has no RTS: RESET=<a command that resets the board>")


def _check_address(option) -> None:
    address = option.bind or option.host
    try:
        for name in filter(None, (option.host, option.bind)):
            options.host(name)
        if address:
            socket.create_server((address, 0)).close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BoardError(
            f"nothing can listen on {address} ({reason}): HOST= is this host's address for the "
            "board, BIND= one to listen on in its place, e.g. 0.0.0.0"
        ) from None
