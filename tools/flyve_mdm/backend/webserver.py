"""uvicorn in a thread, on a port that stays the same when it is started again."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from flyve_mdm.patience import stretched


class _Protocol(H11Protocol):
    """Gives the application its transport, which faults need to cut or fill."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        # asyncio does it only for sockets whose protocol number is given, and ours is not.
        accepted = transport.get_extra_info("socket")
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        inner = self.app

        async def app(scope: dict, receive: Callable, send: Callable) -> None:
            scope["transport"] = transport
            await inner(scope, receive, send)

        self.app = app


class _Uvicorn(uvicorn.Server):
    """Tells when it listens, and ends at once when asked to: no request outlives it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leave = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self.ready.set()

    async def main_loop(self) -> None:
        while not self._leave.is_set():
            await self.on_tick(0)  # the date of the answers
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._leave.wait(), 1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    def leave(self) -> None:
        """End the server, from any thread."""
        self._loop.call_soon_threadsafe(self._leave.set)


class WebServer:
    """uvicorn in a thread; may be stopped and started again on the same port."""

    def __init__(self, app: Any, host: str, port: int, chain: Path | None, key: Path | None):
        self._app, self._host, self._chain, self._key = app, host, chain, key
        self.port = port
        self._server: _Uvicorn | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen; raises OSError when the port is taken, RuntimeError when uvicorn fails."""
        listener = socket.create_server((self._host, self.port), backlog=1024)
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            timeout_keep_alive=5,
            ssl_certfile=self._chain,
            ssl_keyfile=self._key,
        )
        self._server = _Uvicorn(config)
        run = functools.partial(self._server.run, sockets=[listener])
        self._thread = threading.Thread(target=run, name="web", daemon=True)
        self._thread.start()
        if not self._server.ready.wait(stretched(10)):
            listener.close()
            raise RuntimeError("the web server did not start")

    def stop(self) -> None:
        """Close all connections and the port."""
        if self._server is None:
            return
        self._server.leave()
        self._thread.join(stretched(10))
        self._server = None
