"""The broker where mosquitto is missing: amqtt in a thread of this process."""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import contextlib
import hmac
import logging
import secrets
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from amqtt.broker import Broker
from amqtt.contexts import Action
from amqtt.errors import BrokerError
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from flyve_mdm.backend.broker import BACKEND_USER, Rights, free_port
from flyve_mdm.backend.certificates import Certificates
from flyve_mdm.patience import stretched

# amqtt makes its plugins itself, from names and plain values: they find their broker here.
_brokers: dict[str, Amqtt] = {}


class Access(BaseAuthPlugin, BaseTopicPlugin):
    """Asks our accounts who may connect, and what they may read and write."""

    @dataclass
    class Config:
        """Which broker this plugin works for."""

        key: str = ""

    async def authenticate(self, *, session: Session) -> bool:
        """Check name and password."""
        return _brokers[self.config.key].may_connect(session.username, session.password)

    async def topic_filtering(
        self,
        *,
        session: Session | None = None,
        topic: str | None = None,
        action: Action | None = None,
    ) -> bool:
        """Check a right."""
        user = session.username if session else None
        return _brokers[self.config.key].may(user, topic or "", action)

    async def on_broker_client_connected(self, **_: Any) -> None:
        """Count connections."""
        _brokers[self.config.key].connects += 1


class _Subscriptions(dict):
    """amqtt waits in the middle of going over them: a change then must not lose the message."""

    def items(self) -> list[tuple[str, list]]:
        return [(topic, list(holders)) for topic, holders in super().items()]


class _Broker(Broker):
    """amqtt sends retained messages also for filters it refused, and for those of others."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self._subscriptions = _Subscriptions()

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        holders = self._subscriptions.get(subscription[0], [])
        if any(holder.client_id == session.client_id for holder, _ in holders):
            await super()._publish_retained_messages_for_subscription(subscription, session)


class Amqtt:
    """The same duties as Mosquitto's."""

    kind = "amqtt"

    def __init__(self, host: str, port: int, tls: Certificates | None = None) -> None:
        self.host, self._tls = host, tls
        self.port = port or free_port(host)
        self.internal_port = free_port("127.0.0.1")
        self.password = secrets.token_urlsafe(24)
        self._users: dict[str, tuple[str, Rights]] = {}
        self._key = secrets.token_hex(8)
        self._gate = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._broker: Broker | None = None
        self.connects = 0
        self.log: collections.deque[str] = collections.deque(maxlen=1)
        logging.getLogger("amqtt").setLevel(logging.CRITICAL + 1)
        logging.getLogger("transitions").setLevel(logging.CRITICAL + 1)
        self.set_user(BACKEND_USER, self.password, [("readwrite", "#")])
        self.start()

    def start(self) -> None:
        """Start; raises RuntimeError when a port is taken."""
        _brokers[self._key] = self
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="amqtt", daemon=True)
        self._thread.start()
        try:
            self._run(self._start())
        except (BrokerError, OSError) as error:
            self._end_loop()
            raise RuntimeError(f"amqtt did not start on port {self.port}: {error}") from None

    async def _start(self) -> None:
        agents: dict[str, Any] = {"type": "tcp", "bind": f"{self.host}:{self.port}"}
        if self._tls:
            chain, key = str(self._tls.chain), str(self._tls.key)
            agents |= {"ssl": True, "certfile": chain, "keyfile": key}
        config = {
            "listeners": {
                "default": {"type": "tcp", "bind": f"127.0.0.1:{self.internal_port}"},
                "agents": agents,
            },
            "plugins": {f"{__name__}.Access": {"key": self._key}},
        }
        self._broker = _Broker(config)
        await self._broker.start()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(stretched(10))

    def may_connect(self, name: str | None, password: str | None) -> bool:
        """Tell whether this is an account's password."""
        known = self._users.get(name or "")
        return known is not None and hmac.compare_digest(
            known[0].encode(), (password or "").encode()
        )

    def may(self, name: str | None, topic: str, action: Action | None) -> bool:
        """Tell whether an account may write, read or subscribe to a topic or filter."""
        rights = self._users.get(name or "", ("", []))[1]
        wanted = ("write",) if action == Action.PUBLISH else ("read",)
        for right, pattern in rights:
            if right in (*wanted, "readwrite") and _covers(pattern, topic):
                return True
            # All of the agent's own topics: what it may not read is held back at delivery.
            if action == Action.SUBSCRIBE and topic == pattern.rpartition("/Status/")[0] + "/#":
                return True
        return False

    def set_user(self, name: str, password: str, rights: Rights) -> None:
        """Add or replace an account."""
        self._users[name] = (password, rights)

    def set_rights(self, name: str, rights: Rights) -> None:
        """Replace what an account may do."""
        if name in self._users:
            self._users[name] = (self._users[name][0], rights)

    def remove_user(self, name: str) -> None:
        """Remove an account and end its connection."""
        if self._users.pop(name, None) and self._loop:
            self._loop.call_soon_threadsafe(self._hang_up, name)

    def _hang_up(self, name: str) -> None:
        for session, handler in self._broker.sessions.values():
            if session.username == name and handler and handler.reader:
                handler.reader.feed_eof()  # as if it had gone: its will is published

    def hang(self) -> None:
        """Stop answering while the connections stay open."""
        self._gate.clear()
        self._loop.call_soon_threadsafe(self._gate.wait)

    def resume(self) -> None:
        """Answer again after `hang()`."""
        self._gate.set()

    def restart(self) -> None:
        """Stop and start on the same ports; retained messages are lost."""
        self._halt()
        self.start()

    def stop(self) -> None:
        """End the broker."""
        self._halt()
        _brokers.pop(self._key, None)

    def _halt(self) -> None:
        if self._loop is None:
            return
        self.resume()
        # Should it fail, the loop still ends below, and every connection with it.
        with contextlib.suppress(BrokerError, TimeoutError, concurrent.futures.TimeoutError):
            self._run(self._shutdown())
        self._end_loop()

    async def _shutdown(self) -> None:
        # First of all, as amqtt itself comes to it last, if at all: it may not outlive its end.
        for server in self._broker._servers.values():
            server.instance.close()
        await self._broker.shutdown()

    def _end_loop(self) -> None:
        loop, self._loop = self._loop, None
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result(stretched(5))
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join(stretched(5))
        loop.close()


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _covers(pattern: str, topic: str) -> bool:
    """Tell whether an ACL pattern, which may end in #, covers a topic or a narrower filter."""
    if pattern == "#":
        return True
    if pattern.endswith("/#"):
        return topic == pattern[:-2] or topic.startswith(pattern[:-1])
    return topic == pattern
