"""The whole backend in this process: REST, broker, listener and NTP on free loopback ports."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flyve_mdm import keeper
from flyve_mdm.backend import invitation
from flyve_mdm.backend.addresses import reachable_name
from flyve_mdm.backend.administration import Administration
from flyve_mdm.backend.broker import Broker, find_mosquitto
from flyve_mdm.backend.certificates import Certificates, issue
from flyve_mdm.backend.events import EventLog, SharedList
from flyve_mdm.backend.listener import Listener
from flyve_mdm.backend.messagelog import MessageLog
from flyve_mdm.backend.model import Agent
from flyve_mdm.backend.ntp import NtpServer
from flyve_mdm.backend.options import Fault, Options
from flyve_mdm.backend.page.app import Page
from flyve_mdm.backend.page.guard import Guard
from flyve_mdm.backend.reports import Reports
from flyve_mdm.backend.rest import Rest
from flyve_mdm.backend.site import Site
from flyve_mdm.backend.state import State
from flyve_mdm.backend.tasks import Tasks
from flyve_mdm.backend.web import RestApp
from flyve_mdm.backend.webserver import WebServer


class Backend:
    """A simulated Flyve MDM backend; use it as a context manager, or start() and stop() it.

    Switches are the fields of Options, and may be changed later on `options`. What an
    administrator does is in `admin` and `tasks`, which are there after start(). Agents are told
    `host`; it listens on `bind`, which is the same unless it is given.
    """

    def __init__(
        self,
        generation: str = "C",
        tls: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
        mqtt_port: int = 0,
        ntp_port: int = 0,
        bind: str | None = None,
        **switches: Any,
    ) -> None:
        self.options = Options(generation=generation, **switches)
        self._tls, self._port, self._mqtt_port, self._ntp_port = tls, port, mqtt_port, ntp_port
        self.bind = bind or host
        self._page_anywhere = bind is not None
        self.state = State()
        administrator = self.state.administrator
        administrator.api_token = self.options.admin_token or administrator.api_token
        administrator.password = self.options.admin_password
        self.events = EventLog(self.state.changed)
        self.requests = SharedList(self.state.changed)
        self.name = reachable_name(host)
        self.certificates: Certificates | None = None
        self._closing = contextlib.ExitStack()

    def __enter__(self) -> Backend:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start all parts; raises OSError or RuntimeError, and leaves nothing behind then."""
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(keeper.folder("flyve-backend-"))
            options = self.options
            if self._tls:
                own = reachable_name(self.bind)
                names = list(dict.fromkeys([self.name, "localhost", "127.0.0.1", own]))
                self.certificates = issue(folder, names, options.certificate)
            self.broker = start_broker(
                options.broker_kind, folder, self.bind, self._mqtt_port, self.certificates,
                options.broker_persistence,
            )  # fmt: skip
            stack.callback(self.broker.stop)
            self.listener = Listener(self.broker, self.events)
            stack.callback(self.listener.stop)
            self.site = Site(
                self.state, options, self.events, self.broker, self.listener.publish,
                self.listener.flush, self.name, self._tls,
            )  # fmt: skip
            log = MessageLog(self.state)
            stack.callback(self.events.subscribe(log.published))
            self.listener.start(Reports(self.site, log).take)
            self.ntp_server = NtpServer(options, self.bind, self._ntp_port)
            stack.callback(self.ntp_server.stop)
            self.second_ntp_server = NtpServer(options, self.bind, second=True)
            stack.callback(self.second_ntp_server.stop)
            self.admin = Administration(self.site)
            self.tasks = Tasks(self.site, self.admin)
            rest = Rest(self.site, self.admin, self.tasks)
            names = (self.name, reachable_name(self.bind))
            self._guard = Guard(names, self._tls, self._page_anywhere)
            rest_app = RestApp(self.site, self.requests, rest)
            app = Page(self.site, self.admin, self.tasks, self._guard, rest_app)
            chain = self.certificates and self.certificates.chain
            key = self.certificates and self.certificates.key
            self.web = WebServer(app, self.bind, self._port, chain, key)
            self.web.start()
            stack.callback(self.web.stop)
            self.site.port = self.web.port
            self._publish_manifest()
            self._closing = stack.pop_all()

    def stop(self) -> None:
        """Stop all parts and remove their files."""
        self._closing.close()

    def _publish_manifest(self) -> None:
        if self.options.rules != "C":
            topic = f"{self.site.slash}FlyvemdmManifest/Status/Version"
            self.site.publish(topic, {"version": "2.0.0"}, True)

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return self.site.origin

    @property
    def url(self) -> str:
        """The base of the REST interface, as deeplinks hold it."""
        return self.site.url

    @property
    def admin_token(self) -> str:
        """The API token of GLPI's first account, a super-admin."""
        return self.state.administrator.api_token

    @property
    def admin_url(self) -> str:
        """The base of the REST interface for this machine, which may not know the agents' name."""
        return self.url.replace(self.origin, self._near)

    @property
    def page(self) -> str:
        """The address of the page for pilots, with its token."""
        return f"{self._near}/?token={self._guard.token}"

    @property
    def _near(self) -> str:
        """Scheme, host and port for this machine."""
        scheme = self.origin.partition(":")[0]
        return f"{scheme}://{reachable_name(self.bind)}:{self.web.port}"

    @property
    def ntp(self) -> str:
        """The NTP server, as the agent's configuration holds it."""
        return f"{self.name}:{self.ntp_server.port}"

    @property
    def second_ntp(self) -> str:
        """Another NTP server, with a clock of its own."""
        return f"{self.name}:{self.second_ntp_server.port}"

    @property
    def ca_pem(self) -> Path | None:
        """The CA's certificate; None without TLS."""
        return self.certificates and self.certificates.ca_pem

    @property
    def ca_der(self) -> Path | None:
        """The CA's certificate in DER; None without TLS."""
        return self.certificates and self.certificates.ca_der

    @property
    def agents(self) -> list[Agent]:
        """The enrolled agents, oldest first."""
        with self.state.changed:
            return list(self.state.agents.values())

    def invite(self, email: str, *helpdesk: str, **fields: str) -> str:
        """Invite a person, see invitation.invite(); returns the deeplink."""
        return invitation.invite(self.site, email, *helpdesk, **fields)

    def wait_for(self, predicate: Callable[[], Any], timeout: float = 10.0) -> Any:
        """Wait until `predicate()` is true; returns its last value."""
        return self.state.wait_for(predicate, timeout)

    def wait_event(self, kind: str, timeout: float = 10.0, **detail: Any) -> bool:
        """Wait for an event of this kind whose detail holds these values."""
        return bool(
            self.wait_for(
                lambda: any(
                    all(event.detail.get(k) == v for k, v in detail.items())
                    for event in self.events.of(kind)
                ),
                timeout,
            )
        )

    def fault(self, endpoint: str, kind: str, **fields: Any) -> Fault:
        """Add a fault to the HTTP side (see Fault); take it off `options.faults` to end it."""
        fault = Fault(endpoint, kind, **fields)
        self.options.faults.append(fault)
        return fault

    def restart_broker(self) -> None:
        """Restart the broker; returns when the backend listens again."""
        self.broker.restart()
        # The listener may not have noticed yet: what passes the new broker proves it is there.
        self.listener.flush()
        self.listener.wait_connected()

    def expire_sessions(self) -> None:
        """Forget all REST sessions, as PHP does with idle ones."""
        with self.state.changed:
            self.state.sessions.clear()


def start_broker(
    kind: str,
    folder: Path,
    host: str,
    port: int,
    tls: Certificates | None,
    persistence: bool = False,
) -> Broker:
    """Start mosquitto, or amqtt when mosquitto is missing; raises RuntimeError."""
    program = find_mosquitto()
    if kind == "mosquitto" and program is None:
        raise RuntimeError("mosquitto was not found: install it, or choose the broker amqtt")
    if kind == "amqtt" or program is None:
        from flyve_mdm.backend.broker_amqtt import Amqtt

        return Amqtt(host, port, tls)
    from flyve_mdm.backend.broker_mosquitto import Mosquitto

    return Mosquitto(program, folder, host, port, tls, persistence)
