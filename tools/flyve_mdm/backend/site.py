"""What all parts of the backend work on, and their way to the agents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flyve_mdm.backend.broker import Broker
from flyve_mdm.backend.events import EventLog
from flyve_mdm.backend.options import Options
from flyve_mdm.backend.state import State


@dataclass
class Site:
    """One simulated backend. `name` and `port` are where its web server listens, the port once it
    does; `publish(topic, payload, retain)` and `flush()` are the listener's."""

    state: State
    options: Options
    events: EventLog
    broker: Broker
    publish: Callable[..., None]
    flush: Callable[[], None]
    name: str
    tls: bool
    port: int = 0

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http{'s' if self.tls else ''}://{self.name}:{self.port}"

    @property
    def url(self) -> str:
        """The base of the REST interface, as deeplinks hold it."""
        return f"{self.origin}/" if self.options.documented else f"{self.origin}/apirest.php"

    @property
    def slash(self) -> str:
        """What topics begin with: the first generation's begin with a slash."""
        return "/" if self.options.rules == "A" else ""
