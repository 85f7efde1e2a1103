"""Which agents are online, by the backend's word."""

import threading
import time

from flyve_mdm.backend.admin_client import call

_FRESH = 1  # seconds for which an answer serves all who ask


class Presence:
    """Asks the backend, at most once a second, for as many threads as want to know."""

    def __init__(self, url: str):
        self._url, self._lock = url, threading.Lock()
        self._asked, self._online = -_FRESH, frozenset()

    def __call__(self, serial: str) -> bool:
        """True while the backend has the agent with that serial number as online."""
        with self._lock:
            if time.monotonic() - self._asked >= _FRESH:
                agents = call(self._url, "list")["agents"]
                self._online = frozenset(str(one["serial"]) for one in agents if one["online"])
                self._asked = time.monotonic()
            return serial in self._online
