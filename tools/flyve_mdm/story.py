"""The cast of `flyve demo`: a backend, a virtual board, and a timeline of what each does."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

from flyve_mdm.backend.server import Backend
from flyve_mdm.board.board import VirtualBoard
from flyve_mdm.board.log import BoardEnded
from flyve_mdm.board.run import Run
from flyve_mdm.patience import stretched
from flyve_mdm.timeline import Timeline

EMAIL = "ada@example.org"
WAIT = 20  # seconds for one step

# What the backend must have seen for the demo to succeed, and how it is told.
_TOLD = {
    "invited": "invites {email}",
    "session opened": "opens a session for {login}",
    "full session read": "sends the full session, {size} bytes",
    "profile switched": "makes the guest profile the active one",
    "agent created": "creates agent {agent} for {serial}",
    "credentials given": "hands out the credentials for MQTT",
    "session killed": "ends the session",
    "online": "sees agent {agent} online",
    "offline": "sees agent {agent} offline",
    "pong": "gets the answer to its Ping",
    "task": "task {task} ({symbol}): {status}",
    "unenrolled": "gets the acknowledgement of the unenrollment",
    "purged": "deletes the agent, its account and its rights on the broker",
}


class Missing(Exception):
    """The backend did not see a step; the text names it."""


class Story:
    """A backend, a board and the timeline."""

    def __init__(self, backend: Backend, board: VirtualBoard, timeline: Timeline):
        self.backend, self.board, self.timeline = backend, board, timeline
        backend.events.subscribe(self._seen)
        self.link = ""

    def _seen(self, event: Any) -> None:
        text = _TOLD.get(event.kind)
        if text:
            detail = {"size": self.backend.options.full_session_size or "some", **event.detail}
            who = "admin" if event.kind == "invited" else "backend"
            self.timeline.tell(who, text.format(**detail))

    def expect(self, *kinds: str, count: int = 1) -> None:
        """Waits until the backend has seen each kind that often. Raises Missing."""
        for kind in kinds:
            if not self.backend.wait_for(lambda: len(self.seen(kind)) >= count, WAIT):  # noqa: B023
                raise Missing(f"the backend has not seen `{kind}` within {stretched(WAIT):g} s")

    def seen(self, kind: str) -> list:
        """The events of that kind that there were."""
        return [event for event in self.backend.events if event.kind == kind]

    def follow(self, run: Run) -> None:
        """Shows the board's console."""
        thread = threading.Thread(target=self._console, args=(run,), daemon=True)
        thread.start()

    def _console(self, run: Run) -> None:
        shown = 0
        with contextlib.suppress(BoardEnded, TimeoutError):
            while True:
                run.wait_log("", 60, shown)
                line = run.log[shown]
                shown += 1
                if " INFO " in line or " WARN " in line or " ERROR " in line:
                    self.timeline.tell("board", line)
