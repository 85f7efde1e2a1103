"""`flyve demo`: the story in one terminal, a virtual board against the simulated backend."""

from __future__ import annotations

import contextlib
import json
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from tools import build
from tools.backend.server import Backend
from tools.board.board import BoardEnded, Run, VirtualBoard

EMAIL = "ada@example.org"
SSID, PSK = "flyve", "flyve-demo"
_WAIT = 20  # seconds for one step

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
    "offline": "sees agent {agent} offline: the broker sent its last will",
}
_STYLES = {"admin": "magenta", "backend": "cyan", "board": "green", "demo": "bold"}


class Missing(Exception):
    """The backend did not see a step; the text names it."""


@dataclass
class Timeline:
    """Prints who did what, and when since the start; lines may come from several threads."""

    console: Console
    start: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def tell(self, who: str, what: str) -> None:
        """Prints one line."""
        with self.lock:
            line = Text(f"{time.monotonic() - self.start:7.2f} s  ", style="dim")
            line.append(f"{who:<8}", style=_STYLES[who])
            line.append(what)
            self.console.print(line, soft_wrap=True)


class Story:
    """The demo's cast: a backend, a board and the timeline."""

    def __init__(self, backend: Backend, board: VirtualBoard, timeline: Timeline):
        self.backend, self.board, self.timeline = backend, board, timeline
        self._undo = backend.events.subscribe(self._seen)

    def _seen(self, event: Any) -> None:
        text = _TOLD.get(event.kind)
        if text:
            detail = {"size": self.backend.options.full_session_size or "some", **event.detail}
            who = "admin" if event.kind == "invited" else "backend"
            self.timeline.tell(who, text.format(**detail))

    def expect(self, *kinds: str, count: int = 1) -> None:
        """Waits until the backend has seen each kind that often. Raises Missing."""
        for kind in kinds:
            if not self.backend.wait_for(lambda: len(self._of(kind)) >= count, _WAIT):  # noqa: B023
                raise Missing(f"the backend has not seen `{kind}` within {_WAIT} s")

    def _of(self, kind: str) -> list:
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

    def provision(self) -> None:
        """Puts the invitation, the settings, the CA and the Wi-Fi's passphrase on the board."""
        link = self.backend.invite(EMAIL)
        settings = {"email": EMAIL, "ntp": [self.backend.ntp], "keepalive": 10}
        files = {"/deeplink": link.encode(), "/config.json": json.dumps(settings).encode()}
        if self.backend.ca_der:
            files["/ca.der"] = self.backend.ca_der.read_bytes()
        self.board.change(files, {("flyve", "wifi"): json.dumps([[SSID, PSK]]).encode()})
        self.timeline.tell("demo", f"deeplink on the flash: {link[:44]}...")

    def play(self) -> None:
        """Tells the story. Raises Missing at the first step that the backend did not see."""
        self.provision()
        with self.board.start() as run:
            self.follow(run)
            self.expect(
                "session opened", "full session read", "profile switched", "agent created",
                "credentials given", "session killed", "online",
            )  # fmt: skip
            run.wait_log("link: online", _WAIT)
            self.timeline.tell("demo", "the board loses its power")
        self.expect("offline")
        before = len(self._of("online"))
        self.timeline.tell("demo", "the power is back")
        with self.board.start() as run:
            self.follow(run)
            self.expect("online", count=before + 1)
            run.wait_log("link: online", _WAIT)
            self.timeline.tell("demo", "every step was seen by the backend")


@click.command()
@click.option("--generation", type=click.Choice("ABC"), default="C", show_default=True)
@click.option("--plain", is_flag=True, help="http and MQTT without TLS.")
def demo(generation: str, plain: bool) -> None:
    """The way from an invitation to online, as the backend sees it; exit 1 if it sees less."""
    console = Console(highlight=False)
    try:
        build.build()
    except build.BuildError as error:
        raise click.ClickException(str(error)) from None
    timeline = Timeline(console)
    with tempfile.TemporaryDirectory(prefix="flyve-demo-") as folder:
        board = VirtualBoard.create(Path(folder) / "board", aps={SSID: PSK})
        board.deploy()
        tls = "http, MQTT" if plain else "https, MQTT over TLS"
        timeline.tell("demo", f"a virtual ESP32 and a simulated backend ({generation}, {tls})")
        switches = {"default_profile": 4, "full_session_size": 100_000, "full_session_seed": 1}
        with Backend(generation=generation, tls=not plain, **switches) as backend:
            try:
                Story(backend, board, timeline).play()
            except Missing as missing:
                raise click.ClickException(str(missing)) from None
