"""A virtual board behind RFC 2217: a port over the network, with the lines that a pty lacks.

What pyserial's client does to RTS and DTR comes to the board's EN pin, as the transistors of a
development board have it: RTS alone pulls it down.
"""

import contextlib
import selectors
import socket
import threading

import serial
import serial.rfc2217


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

    def __init__(self, port: str, run):
        self._lines = _Lines(port, run)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"rfc2217://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._server.close()
        self._lines.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                with client, contextlib.suppress(OSError):
                    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._pass(client)

    def _pass(self, client):
        wire = _Answers(client)
        manager = serial.rfc2217.PortManager(self._lines, wire)
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
