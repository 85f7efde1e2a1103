"""A deadline for a whole exchange over HTTP: requests has one for each read only, and a server
that trickles is never late for those."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class Deadline:
    """Breaks off the connection of the exchange that is under way when its time is over; for one
    exchange at a time."""

    def __init__(self) -> None:
        self.passed = False
        self._lock = threading.Lock()
        self._exchange = 0
        # The same connection by a descriptor of our own: TLS takes the first one's away.
        self._twin: socket.socket | None = None

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """An exchange that may take so long; `passed` tells then whether it took longer."""
        with self._lock:
            self.passed = False
            self._exchange += 1
        timer = threading.Timer(seconds, self._pass, [self._exchange])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def watch(self, connection: socket.socket) -> None:
        """The connection that the exchange goes on with, and those after it."""
        with self._lock:
            self._close()
            self._twin = connection.dup()
            if self.passed:
                self._break()

    def close(self) -> None:
        """Forgets the connection."""
        with self._lock:
            self._close()

    def _pass(self, exchange: int) -> None:
        with self._lock:
            if exchange == self._exchange:
                self.passed = True
                self._break()

    def _break(self) -> None:
        if self._twin:
            with contextlib.suppress(OSError):  # it is gone already
                self._twin.shutdown(socket.SHUT_RDWR)

    def _close(self) -> None:
        if self._twin:
            self._twin.close()
            self._twin = None


class Adapter(HTTPAdapter):
    """Has each of its connections watched by a Deadline."""

    def __init__(self, deadline: Deadline, **how: Any) -> None:
        self._classes = _classes(deadline)
        super().__init__(**how)

    def init_poolmanager(self, *args: Any, **how: Any) -> None:
        super().init_poolmanager(*args, **how)
        self.poolmanager.pool_classes_by_scheme = self._classes

    def proxy_manager_for(self, proxy: str, **how: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **how)
        if not proxy.lower().startswith("socks"):  # which has connections of its own
            manager.pool_classes_by_scheme = self._classes
        return manager


def _classes(deadline: Deadline) -> dict[str, type[HTTPConnectionPool]]:
    class Watched:
        def _new_conn(self) -> socket.socket:
            made = super()._new_conn()
            deadline.watch(made)
            return made

    class Plain(Watched, HTTPConnection):
        pass

    class Secure(Watched, HTTPSConnection):
        pass

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
