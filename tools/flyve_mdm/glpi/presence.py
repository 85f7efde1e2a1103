"""Which agents are online, by GLPI's word."""

from __future__ import annotations

import threading
import time

from flyve_mdm.glpi.agents import AGENT, serial_of
from flyve_mdm.glpi.errors import GlpiError
from flyve_mdm.glpi.session import Session

_FRESH = 1  # seconds for which an answer serves all who ask
_PATIENCE = 30  # seconds for which GLPI may fail


class Presence:
    """Asks GLPI, at most once a second, for as many threads as want to know."""

    def __init__(self, session: Session):
        self._session, self._lock = session, threading.Lock()
        self._asked = self._told = time.monotonic() - _FRESH
        self._online: dict[str, str] = {}
        self._serials: dict[int, str] = {}

    def __call__(self, serial: str) -> str:
        """When GLPI last heard of the agent with that serial number, as long as it has it as
        online; else "". Of a board whose power fails GLPI says so for some minutes yet, but it
        hears nothing new of it. Raises GlpiError."""
        with self._lock:
            now = time.monotonic()
            if now - self._asked >= _FRESH:
                try:
                    self._online = self._read()
                    self._told = time.monotonic()
                except GlpiError:
                    if now - self._told > _PATIENCE:
                        raise
                self._asked = time.monotonic()
            return self._online.get(serial, "")

    def _read(self) -> dict[str, str]:
        found = {}
        for row in self._session.search(AGENT, is_online=1):
            number = row["computers_id"]
            if number not in self._serials:
                self._serials[number] = serial_of(self._session, number)
            found[self._serials[number]] = str(row["last_contact"] or "once")
        return found
