"""The MQTT broker: mosquitto where it is installed, else amqtt."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from flyve_mdm.backend.certificates import Certificates

if TYPE_CHECKING:
    from flyve_mdm.backend.broker_amqtt import Amqtt
    from flyve_mdm.backend.broker_mosquitto import Mosquitto

_OWN = range(20000, 32000)
BACKEND_USER = "flyvemdm-backend"
# Pairs of "read", "write" or "readwrite" and a topic that may end in #.
Rights = list[tuple[str, str]]


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


def start_broker(
    kind: str,
    folder: Path,
    host: str,
    port: int,
    tls: Certificates | None,
    persistence: bool = False,
) -> Mosquitto | Amqtt:
    """Start mosquitto, or amqtt when mosquitto is missing; raises RuntimeError."""
    program = find_mosquitto()
    if kind == "mosquitto" and program is None:
        raise RuntimeError("mosquitto was not found: install it, or choose the broker amqtt")
    if kind == "amqtt" or program is None:
        from flyve_mdm.backend.broker_amqtt import Amqtt

        return Amqtt(host, port, tls)
    from flyve_mdm.backend.broker_mosquitto import Mosquitto

    return Mosquitto(program, folder, host, port, tls, persistence)
