"""Names and addresses of this machine."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Mapping


def loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_listening(host: str, option: str, ports: Mapping[str, int]) -> None:
    """Raises ValueError unless this machine can listen at an address, which `option` gave, and on
    ports, by the options that gave them (0: any): it names the one that is wrong."""
    _check(host, 0, socket.SOCK_STREAM, option)
    for name, port in ports.items():
        kind = socket.SOCK_DGRAM if name == "--ntp-port" else socket.SOCK_STREAM
        _check(host, port, kind, name)


def _check(host: str, port: int, kind: socket.SocketKind, option: str) -> None:
    elsewhere = "; --bind listens at another" if option == "--host" else ""
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        try:
            probe.bind((host, port))
        except socket.gaierror:
            told = f"{host}: there is no such name or address{elsewhere}"
        except OSError as error:
            told = {
                errno.EADDRNOTAVAIL: f"{host} is no address of this machine{elsewhere}",
                errno.EADDRINUSE: f"another program listens on port {port} of {host}",
            }.get(error.errno, f"port {port} of {host}: {error.strerror}")
        else:
            return
    raise ValueError(f"{option}: {told}")


def reachable_name(host: str) -> str:
    """The name under which agents reach a listening address."""
    try:
        if not ipaddress.ip_address(host).is_unspecified:
            return host
    except ValueError:
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Connecting a datagram socket sends nothing; it only chooses the interface.
            probe.connect(("192.0.2.1", 9))
            return probe.getsockname()[0]
        except OSError:
            return "127.0.0.1"
