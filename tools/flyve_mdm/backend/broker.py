"""What the MQTT brokers, mosquitto and amqtt, have in common: names, rights, ports."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
import socket
from typing import Protocol

_OWN = range(20000, 32000)
BACKEND_USER = "flyvemdm-backend"
# Pairs of "read", "write" or "readwrite" and a topic that may end in #.
Rights = list[tuple[str, str]]


class Broker(Protocol):
    """What the backend does to a broker. `port` is for agents, `internal_port` for itself, with
    BACKEND_USER and `password`."""

    port: int
    internal_port: int
    password: str

    def set_user(self, name: str, password: str, rights: Rights) -> None: ...

    def set_rights(self, name: str, rights: Rights) -> None: ...

    def remove_user(self, name: str) -> None: ...

    def restart(self) -> None: ...

    def stop(self) -> None: ...


def find_mosquitto() -> str | None:
    """The mosquitto program; Debian keeps it where users' PATH does not look."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    return shutil.which("mosquitto", path=path)


def free_port(host: str) -> int:
    """A TCP port that is free now, and that no outgoing connection will be given while its broker
    is stopped for a while: Linux takes theirs from 32768 on, others from 49152."""
    for port in [*random.SystemRandom().sample(_OWN, 20), 0]:
        with contextlib.suppress(OSError), socket.create_server((host, port)) as probe:
            return probe.getsockname()[1]
    raise OSError(errno.EADDRINUSE, f"no port of {host} is free")
