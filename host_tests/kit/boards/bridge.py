"""A virtual board behind a port of the network: RFC 2217, with the lines that a pty lacks, or a
plain socket.

What pyserial's client does to RTS and DTR comes to the board's EN pin, as the transistors of a
development board have it: RTS alone pulls it down.

    python -m host_tests.kit.boards.bridge [rfc2217|socket]

prints how `make hil` is called with such a board, and serves it until Ctrl-C; SIGUSR1 resets it.
"""

import contextlib
import os
import selectors
import signal
import socket
import sys
import threading

import serial
import serial.rfc2217

from flyve_mdm import keeper
from flyve_mdm.board.board import VirtualBoard
from flyve_mdm.patience import stretched
from host_tests.kit.boards.virtual import JOIN_MS, PSK, SSID

SCHEMES = "rfc2217", "socket"


class _Lines(serial.Serial):
    """The server's end of the port: a pty, and lines that it has not."""

    def __init__(self, port, run):
        self._board, self._held = run, False
        self._levels = {"dtr": True, "rts": True}
        super().__init__(port, timeout=0)

    def _level(self, line, on):
        self._levels[line] = bool(on)
        held = self._levels["rts"] and not self._levels["dtr"]
        if held != self._held:
            self._held = held
            self._board.hold() if held else self._board.reset()

    dtr = property(lambda self: self._levels["dtr"], lambda self, on: self._level("dtr", on))
    rts = property(lambda self: self._levels["rts"], lambda self, on: self._level("rts", on))
    cts = dsr = ri = cd = property(lambda self: False)


class Bridge:
    """Serves one client after the other; `url` is the port."""

    def __init__(self, port: str, run, scheme: str = "rfc2217"):
        self._lines = _Lines(port, run)
        self._server = socket.create_server(("127.0.0.1", 0))
        self._scheme, self._client = scheme, None
        self.url = f"{scheme}://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, name="bridge", daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # The client's, too, for it may never hang up.
        for sock in filter(None, (self._server, self._client)):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(stretched(5))
        self._server.close()
        self._lines.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                self._client, _ = self._server.accept()
                with self._client as client, contextlib.suppress(OSError):
                    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._pass(client)

    def _pass(self, client):
        manager = _Plain
        if self._scheme == "rfc2217":
            manager = serial.rfc2217.PortManager(self._lines, _Answers(client))
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ)
            selector.register(self._lines, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is client:
                        data = client.recv(4096)
                        if not data:
                            return
                        self._lines.write(b"".join(manager.filter(data)))
                    else:
                        client.sendall(b"".join(manager.escape(self._lines.read(4096))))


class _Answers:
    """How PortManager wants to write to the client."""

    def __init__(self, client):
        self._client = client

    def write(self, data):
        self._client.sendall(data)


class _Plain:
    """A PortManager that takes all bytes as they are."""

    filter = escape = staticmethod(lambda data: (data,))


def _main(scheme: str = "rfc2217") -> None:
    with keeper.folder("flyve-bridge-") as folder, contextlib.suppress(KeyboardInterrupt):
        board = VirtualBoard.create(folder / "board")
        board.set_air({SSID: PSK}, JOIN_MS)
        with board.start(port=folder / "port") as run, Bridge(run.wait_port(), run, scheme) as it:
            signal.signal(signal.SIGUSR1, lambda *_: run.reset())
            reset = f" RESET='kill -USR1 {os.getpid()}'" if scheme == "socket" else ""
            network = f"WIFI_SSID={SSID} WIFI_PSK={PSK} HOST=127.0.0.2 BIND=0.0.0.0"
            print(f"make hil PORT={it.url} {network}{reset}", flush=True)
            while True:
                signal.pause()


if __name__ == "__main__":
    _main(*sys.argv[1:])
