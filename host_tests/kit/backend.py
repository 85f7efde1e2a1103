"""The simulated backend behind proxies."""

from __future__ import annotations

from flyve_mdm.backend.server import Backend
from host_tests.kit.proxy import Proxy


class Proxied(Backend):
    """A backend that is reached through the proxies `rest` and `mqtt`."""

    def start(self) -> None:
        super().start()
        self.rest, self.mqtt = Proxy(self.web.port), Proxy(self.broker.port)
        self.site.port = self.rest.port  # what it tells of itself
        self.options.broker_port = self.mqtt.port

    def stop(self) -> None:
        self.rest.close()
        self.mqtt.close()
        super().stop()
