"""The whole backend in this process: REST, broker, listener and NTP on free loopback ports."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Mount

from flyve_mdm import keeper
from flyve_mdm.backend import admin, invitation
from flyve_mdm.backend.administration import Administration
from flyve_mdm.backend.broker import start_broker
from flyve_mdm.backend.certificates import Certificates, issue
from flyve_mdm.backend.deployments import Deployments
from flyve_mdm.backend.events import EventLog, Log
from flyve_mdm.backend.listener import Listener
from flyve_mdm.backend.model import Agent, State
from flyve_mdm.backend.ntp import NtpServer
from flyve_mdm.backend.options import Fault, Options
from flyve_mdm.backend.web import RestApp
from flyve_mdm.backend.webserver import WebServer


class Backend(Administration, Deployments):
    """A simulated Flyve MDM backend; use it as a context manager, or start() and stop() it.

    Switches are the fields of Options, and may be changed later on `options`.
    """

    def __init__(
        self,
        generation: str = "C",
        tls: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
        mqtt_port: int = 0,
        ntp_port: int = 0,
        **switches: Any,
    ) -> None:
        self.options = Options(generation=generation, **switches)
        self._tls, self._host, self._port, self._mqtt_port = tls, host, port, mqtt_port
        self._ntp_port = ntp_port
        self.state = State()
        self.events = EventLog(self.state.changed)
        self.requests = Log(self.state.changed)
        self.name = reachable_name(host)
        self.mqtt_host, self.mqtt_tls = self.name, tls
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
                names = list(dict.fromkeys([self.name, "localhost", "127.0.0.1"]))
                self.certificates = issue(folder, names, options.certificate)
            self.broker = start_broker(
                options.broker_kind, folder, self._host, self._mqtt_port, self.certificates,
                options.broker_persistence,
            )  # fmt: skip
            stack.callback(self.broker.stop)
            self.listener = Listener(self)
            stack.callback(self.listener.stop)
            self.listener.start()
            self.ntp_server = NtpServer(options, self._host, self._ntp_port)
            stack.callback(self.ntp_server.stop)
            self.second_ntp_server = NtpServer(options, self._host, second=True)
            stack.callback(self.second_ntp_server.stop)
            rest = RestApp(self)
            app = Starlette(
                routes=[Mount("/flyve-admin", admin.application(self)), Mount("/", rest)]
            )
            chain = self.certificates and self.certificates.chain
            key = self.certificates and self.certificates.key
            self.web = WebServer(app, self._host, self._port, chain, key)
            self.web.start()
            stack.callback(self.web.stop)
            self._publish_manifest()
            self._closing = stack.pop_all()

    def stop(self) -> None:
        """Stop all parts and remove their files."""
        self._closing.close()

    def _publish_manifest(self) -> None:
        if self.options.rules != "C":
            slash = "/" if self.options.rules == "A" else ""
            topic = f"{slash}FlyvemdmManifest/Status/Version"
            self.listener.publish(topic, {"version": "2.0.0"}, True)

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http{'s' if self._tls else ''}://{self.name}:{self.web.port}"

    @property
    def url(self) -> str:
        """The base of the REST interface, as deeplinks hold it."""
        return f"{self.origin}/" if self.options.documented else f"{self.origin}/apirest.php"

    @property
    def admin_url(self) -> str:
        """The base of the administrator's interface."""
        return f"{self.origin}/flyve-admin"

    @property
    def mqtt_port(self) -> int:
        """The broker's port for agents."""
        return self.broker.port

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

    def invite(
        self,
        email: str,
        name: str = "Help desk",
        phone: str = "+33 1 23 45 67 89",
        website: str = "https://support.example.org",
        support_email: str = "support@example.org",
        firstname: str | None = None,
        realname: str | None = None,
    ) -> str:
        """Invite a person; returns the deeplink, whose form `options.deeplink` chooses."""
        return invitation.invite(
            self, email, name, phone, website, support_email, firstname, realname
        )

    def wait_for(self, predicate: Callable[[], Any], timeout: float = 10.0) -> Any:
        """Wait until `predicate()` is true; returns its last value."""
        deadline = time.monotonic() + timeout
        with self.state.changed:
            return self.state.changed.wait_for(predicate, max(0, deadline - time.monotonic()))

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


def reachable_name(host: str) -> str:
    """The name under which agents reach a listening address."""
    try:
        if not ipaddress.ip_address(host).is_unspecified:
            return host
    except ValueError:
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Connecting a datagram socket sends nothing; it only chooses the interface.
            probe.connect(("192.0.2.1", 9))
            return probe.getsockname()[0]
        except OSError:
            return "127.0.0.1"
