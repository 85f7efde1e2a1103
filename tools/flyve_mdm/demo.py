"""`flyve demo`: the whole story in one terminal, a virtual board against a simulated backend."""

from __future__ import annotations

import contextlib
import io
import random
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from flyve_mdm import demo_phone, keeper, options
from flyve_mdm.backend.server import Backend
from flyve_mdm.board import invited
from flyve_mdm.board.run import Run
from flyve_mdm.build import firmware, libraries, pure, toolchain
from flyve_mdm.patience import stretched
from flyve_mdm.story import EMAIL, WAIT, Missing, Story
from flyve_mdm.text import lines
from flyve_mdm.timeline import Timeline

_CHUNK = 32768  # bytes of one Range request: small, so that there is something to see
_FILE = 1_000_000
_APP = b"""
def start(agent):
    print("hello from an application")
    while True:
        yield
"""


class Life(Story):
    """From an invitation to the unenrollment."""

    def _provision(self) -> None:
        """Puts the invitation, the settings, the CA and the Wi-Fi's passphrase on the board."""
        link = self.link = self.backend.invite(EMAIL)
        settings = {
            "email": EMAIL, "ntp": [self.backend.ntp], "keepalive": 10, "chunk": _CHUNK,
            "reconnect_spread": 1, "erase_on_unenroll": True,
        }  # fmt: skip
        invited.invite(self.board, link, settings, self.backend.ca_der)
        self.timeline.tell("demo", f"deeplink on the flash: {link[:44]}...")

    def play(self) -> None:
        """Tells the story. Raises Missing at the first step that the backend did not see."""
        self._provision()
        with self.board.start() as run:
            self.follow(run)
            self.expect(
                "session opened", "full session read", "profile switched", "agent created",
                "credentials given", "session killed", "online",
            )  # fmt: skip
            run.wait_log("link: online", WAIT)
            self.timeline.tell("demo", "the board loses its power")
        self.expect("offline")
        self.timeline.tell("backend", "...for the broker sent its last will")
        before = len(self.seen("online"))
        self.timeline.tell("demo", "the power is back")
        with self.board.start() as run:
            self.follow(run)
            self.expect("online", count=before + 1)
            run.wait_log("link: online", WAIT)
            self._manage()
            self._unenroll(run)
        self.timeline.tell("demo", "every step was seen by the backend")

    def _manage(self) -> None:
        """A ping, a file and an application for the agent."""
        self.timeline.tell("admin", "pings the device")
        self.backend.admin.ping(17)
        self.expect("pong")
        data = random.Random(1).randbytes(_FILE)
        self.timeline.tell("admin", f"deploys a file of {_FILE:,} bytes")
        with self._progress():
            self._finish(self.backend.tasks.deploy_file(17, data, "%SDCARD%/demo/", "data.bin"))
        if self.board.read("/files/demo/data.bin") != data:
            raise Missing("the file on the board is not the one that was deployed")
        self.timeline.tell("demo", "the file on the board is the same, byte by byte")
        self.timeline.tell("admin", "deploys an application")
        self._finish(self.backend.tasks.deploy_app(17, _bundle(), "org.example.hello", "1"))

    def _finish(self, task: Any) -> None:
        status = self.backend.tasks.wait_task(task, WAIT)
        if status != "done":
            raise Missing(f"the task {task.symbol} is {status} after {stretched(WAIT):g} s")

    @contextlib.contextmanager
    def _progress(self) -> Iterator[None]:
        """A bar of the parts that the board asks for; lines where there is no terminal."""
        columns = TextColumn("           backend "), BarColumn(40), DownloadColumn()
        terminal = self.timeline.bars
        bar = Progress(*columns, console=self.timeline.console, disable=not terminal)
        row = bar.add_task("", total=_FILE)

        def seen(request: Any) -> None:
            found = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("range", ""))
            if found and terminal:
                bar.update(row, completed=int(found[2]) + 1)
            elif found and int(found[1]) % (8 * _CHUNK) < _CHUNK:
                self.timeline.tell("backend", f"sends bytes {found[1]} to {found[2]} of {_FILE}")

        undo = self.backend.requests.subscribe(seen)
        with bar:
            yield
        undo()

    def _unenroll(self, run: Run) -> None:
        """The end: acknowledged, deleted, and nothing secret is left."""
        secrets = self._secrets()
        self.timeline.tell("admin", "unenrolls the device")
        if not self.backend.admin.unenroll(17, WAIT):
            raise Missing(f"the backend has no acknowledgement after {stretched(WAIT):g} s")
        self.expect("unenrolled", "purged")
        run.wait_log("agent: waiting for a deeplink", WAIT)
        kept = [value for _, _, _, value in self.board.nvs()]
        kept += [self.board.read(path) for path, _ in self.board.files()]
        texts = [value if isinstance(value, bytes) else str(value).encode() for value in kept]
        if any(secret in text for secret in secrets for text in texts):
            raise Missing("a secret of the enrollment is still on the board")
        told = f"{len(secrets)} secrets of the enrollment: none is in NVS or in a file any more"
        self.timeline.tell("demo", told)

    def _secrets(self) -> set[bytes]:
        """What the board must have forgotten in the end: the invitation's tokens, and its own."""
        invitation = pure.load("jobs.deeplink").parse(self.link)
        secrets = {invitation.user_token.encode(), invitation.invitation_token.encode()}
        for _, _, _, value in self.board.nvs():
            if isinstance(value, bytes):
                found = re.findall(rb'"(?:mqttpasswd|api_token)": *"([^"]+)"', value)
                secrets.update(found)
        return secrets


def _bundle() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        info = tarfile.TarInfo("app.py")
        info.size = len(_APP)
        archive.addfile(info, io.BytesIO(_APP))
    return out.getvalue()


@click.command()
@click.option("--generation", type=click.Choice("ABC"), default="C", show_default=True)
@click.option("--plain", is_flag=True, help="http and MQTT without TLS.")
@click.option("--phone", is_flag=True, help="By the set-up page: no cable, no command.")
@click.option(
    "--svg",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=options.parsed(options.output),
    help="Draws it, too.",
)
def demo(generation: str, plain: bool, phone: bool, svg: Path | None) -> None:
    """From an invitation to the unenrollment, as the backend sees it; exit 1 if it sees less.

    --phone: from power-on to online, as a person with a phone does it."""
    try:
        firmware.build()
    except (firmware.BuildError, libraries.LibraryError, toolchain.ToolchainError) as error:
        raise click.ClickException(str(error)) from None
    story = demo_phone.ByPhone if phone else Life
    timeline = Timeline(drawn=svg is not None)
    with keeper.folder("flyve-demo-") as folder:
        board = invited.create(folder / "board")
        board.deploy()
        tls = "http, MQTT" if plain else "https, MQTT over TLS"
        timeline.tell("demo", f"a virtual ESP32 and a simulated backend ({generation}, {tls})")
        switches = {"default_profile": 4, "full_session_size": 100_000, "full_session_seed": 1}
        with Backend(generation=generation, tls=not plain, **switches) as backend:
            try:
                story(backend, board, timeline).play()
            except Missing as missing:
                raise click.ClickException(lines(str(missing))) from None
    if svg:
        timeline.draw(svg)
