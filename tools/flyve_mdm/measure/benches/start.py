"""How soon after its process started an enrolled board's CONNECT is at the broker."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import statistics
import subprocess
import time
from collections.abc import Iterator

from flyve_mdm.board import launcher
from flyve_mdm.measure.benches.rig import Rig, environment
from flyve_mdm.measure.benches.row import Row

_RUNS = 9
_BUDGET = {False: 80, True: 180}  # ms
_WAIT = 10
_BARE = "from umqtt.simple import MQTTClient as C; C('bench', '127.0.0.1', {}, keepalive=60{}).connect()"  # noqa: E501
# The library's module of sockets has no wrap_socket any more; like this it verifies nobody.
_BARE_TLS = """
import sys, tls
class ussl:
    @staticmethod
    def wrap_socket(sock):
        context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        context.verify_mode = tls.CERT_NONE
        return context.wrap_socket(sock)
sys.modules["ussl"] = ussl
"""


def rows() -> Iterator[Row]:
    """Plain and TLS, beside a script of three calls of umqtt.simple."""
    for tls in (False, True):
        with Rig(tls) as rig:
            board = rig.board()
            with board.start() as run:
                run.wait_log("link: online", 20)
            with StandIn(rig) as broker:
                settings = {**rig.settings, "port": broker.port}
                board.change({"/config.json": json.dumps(settings).encode()})
                times, peers = [], []
                for _ in range(_RUNS):
                    begin = time.monotonic()
                    with board.start():
                        times.append(broker.connected() - begin)
                    peers.append(_bare(broker, tls))
        ours, peer = (statistics.median(each) * 1000 for each in (times, peers))
        how = "TLS, verified" if tls else "plain"
        yield Row(
            f"process start to CONNECT, enrolled, {how} (a Wi-Fi that joins at once and NTP on "
            "loopback included)",
            f"{ours:.0f} ms",
            f"<= {_BUDGET[tls]} ms",
            ours <= _BUDGET[tls],
            f"{peer:.0f} ms (bare umqtt.simple{', not verified' if tls else ''})",
            ours / peer,
        )


def _bare(broker: StandIn, tls: bool) -> float:
    script = (_BARE_TLS if tls else "") + _BARE.format(broker.port, ", ssl=True" if tls else "")
    begin = time.monotonic()
    process = subprocess.Popen(
        launcher.command("-c", script), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(),
    )  # fmt: skip
    try:
        return broker.connected() - begin
    finally:
        process.kill()
        process.wait(5)


class StandIn:
    """In the place of a broker: a listener that waits for CONNECT and then hangs up."""

    def __init__(self, rig: Rig) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_WAIT)
        self.port = self._listener.getsockname()[1]
        self._context = None
        if rig.backend.certificates:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(
                rig.backend.certificates.chain, rig.backend.certificates.key
            )

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *_) -> None:
        self._listener.close()

    def connected(self) -> float:
        """When the next client's CONNECT came (time.monotonic()). Raises TimeoutError."""
        with contextlib.ExitStack() as stack:
            client = stack.enter_context(self._listener.accept()[0])
            client.settimeout(_WAIT)
            if self._context:
                client = stack.enter_context(self._context.wrap_socket(client, server_side=True))
            first = client.recv(1)
            if first != b"\x10":
                raise OSError("that was no CONNECT")
            return time.monotonic()
