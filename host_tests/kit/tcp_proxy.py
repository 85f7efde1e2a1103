"""A TCP proxy on 127.0.0.1 that cuts, or holds, what passes through it."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator

_START = 5  # seconds
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST


class TcpProxy:
    """Relays to a port of 127.0.0.1, in a thread of its own. A context manager.

    cuts: an iterator of byte counts; after so many bytes, of both directions and all connections
    together, the connection that carried the last of them is reset, and the next count holds.
    `sent` has what reached the server, a bytearray for each connection; `done` is the number of
    cuts so far."""

    def __init__(self, port: int, cuts: Iterator[int] | None = None):
        self.sent: list[bytearray] = []
        self.done = 0
        self._target = port
        self._cuts = cuts or iter(())
        self._left = next(self._cuts, None)
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._flows: asyncio.Event
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        if not started.wait(_START):
            raise RuntimeError("the proxy did not start")

    def cut(self) -> None:
        """Resets all connections."""
        self._call(self._reset_all)

    def hold(self) -> None:
        """Lets nothing pass, and tells nobody."""
        self._call(self._flows.clear)

    def release(self) -> None:
        """Ends hold(): what waited passes."""
        self._call(self._flows.set)

    def close(self) -> None:
        self._call(self._ending.set)
        self._thread.join(_START)

    def __enter__(self) -> TcpProxy:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _call(self, function) -> None:
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (function(), done.set()))
        done.wait(_START)

    def _run(self, started: threading.Event) -> None:
        self._loop.run_until_complete(self._serve(started))
        self._loop.close()

    async def _serve(self, started: threading.Event) -> None:
        self._flows, self._ending = asyncio.Event(), asyncio.Event()
        self._flows.set()
        server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await self._ending.wait()
        server.close()
        self._reset_all()
        relays = asyncio.all_tasks() - {asyncio.current_task()}
        for relay in relays:
            relay.cancel()
        await asyncio.gather(*relays, return_exceptions=True)

    async def _relay(self, reader, writer) -> None:
        sent = bytearray()
        try:
            inner_reader, inner = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _reset(writer)
            return
        pair = (writer, inner)
        self._open.update(pair)
        self.sent.append(sent)
        ways = (
            self._pump(reader, inner, pair, sent),
            self._pump(inner_reader, writer, pair, None),
        )
        try:
            await asyncio.gather(*ways)
        except (OSError, asyncio.CancelledError):
            pass  # a broken connection is what this is for
        finally:
            for side in pair:
                self._open.discard(side)
                side.close()

    async def _pump(self, reader, writer, pair, sent: bytearray | None) -> None:
        while data := await reader.read(65536):
            await self._flows.wait()
            cut = self._left is not None and len(data) >= self._left
            if cut:
                data = data[: self._left]
            elif self._left is not None:
                self._left -= len(data)
            if sent is not None:
                sent += data
            writer.write(data)
            await writer.drain()
            if cut:
                self._left = next(self._cuts, None)
                self.done += 1
                # The server gets all that `sent` claims: an end, where the board gets a reset.
                pair[1].close()
                _reset(pair[0])
                return
        for side in pair:
            side.close()

    def _reset_all(self) -> None:
        for writer in list(self._open):
            _reset(writer)


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock.fileno() >= 0:  # else it has gone already, and its relay is about to learn it
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
