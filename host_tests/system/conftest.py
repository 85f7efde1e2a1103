"""A whole board, virtual or behind a port, against the simulated backend and mosquitto."""

from __future__ import annotations

import json

import pytest

from tools import firmware
from tools.backend.server import Backend


class Device:
    """A provisioned board and the backend that invited it."""

    def __init__(self, board, backend: Backend, wifi: tuple):
        self.board = board
        self.backend = backend
        self.wifi = wifi
        self.run = None
        self.deeplink = None

    def provision(self, email="user@example.org", deeplink=None, **settings):
        """Puts an invitation and the settings into the flash; returns the deeplink."""
        backend = self.backend
        self.deeplink = deeplink or backend.invite(email)
        settings = {"email": email, "ntp": [backend.ntp], "reconnect_spread": 1, **settings}
        files = {"/deeplink": self.deeplink, "/config.json": json.dumps(settings)}
        files = {path: text.encode() for path, text in files.items()}
        if backend.ca_der:
            files["/ca.der"] = backend.ca_der.read_bytes()
        wifi = json.dumps([self.wifi]).encode()
        self.board.change(files, {("flyve", "wifi"): wifi})
        return self.deeplink

    def start(self, **how):
        """Switches the board on."""
        self.run = self.board.start(**how)
        return self.run

    def enrolled(self, timeout=20):
        """Waits until the board says so; returns the id."""
        return int(self.run.wait_log(r"enrollment: enrolled id=(\d+)", timeout)[1])

    def online(self, timeout=20, since=0):
        """Waits until the board (in a line from number since on) and the backend say so."""
        self.run.wait_log(r"link: online topic=", timeout, since)
        assert self.backend.wait_for(lambda: any(a.online for a in self.backend.agents), timeout)

    def go_online(self, **settings):
        """Provisions the board, switches it on and waits until it is online; returns itself."""
        self.provision(**settings)
        self.start()
        self.online()
        return self

    def ends(self, task, wanted, before=None, timeout=15):
        """Waits until the backend has the task's final status, which must be the wanted one;
        before: the status that a task begins with again."""
        row = self.backend.state.status_of(task, self.backend.agent(17))
        if before:
            assert self.backend.wait_for(lambda: row.history.count(before) == 2, timeout)
        found = self.backend.wait_task(task, timeout)
        assert found == wanted, "\n".join(self.run.log)

    def history(self, task):
        """The statuses that a task has had, as the backend got them."""
        return self.backend.state.status_of(task, self.backend.agent(17)).history

    def gets(self, endpoint):
        """The requests that came for an endpoint."""
        return [r for r in self.backend.requests if f"/{endpoint}" in r.path]

    def posts(self):
        """The statuses with which the backend answered POST PluginFlyvemdmAgent."""
        return [
            r.status
            for r in self.backend.requests
            if r.method == "POST" and r.path.endswith("/PluginFlyvemdmAgent")
        ]

    def secrets_on_board(self):
        """The enrollment secrets that a live NVS key or a file on the board still holds."""
        found = []
        kept = [value for _, _, _, value in self.board.nvs()]
        kept += [self.board.read(path) for path, _ in self.board.files()]
        for secret in self.secrets():
            if any(secret in (v if isinstance(v, bytes) else str(v).encode()) for v in kept):
                found.append(secret)
        return found

    def secrets(self):
        """Tokens of the invitation, as bytes."""
        invitation = firmware.load("deeplink").parse(self.deeplink)
        return [invitation.user_token.encode(), invitation.invitation_token.encode()]


@pytest.fixture
def make_device(boards):
    """Makes devices (backend and board); all are switched off at the end, and no log of theirs
    holds a secret."""
    made = []

    def make(aps=None, flash_size=4 << 20, ota=False, **backend):
        board = boards.make(aps, flash_size, ota)
        server = Backend(**{**boards.backend, **backend})
        server.start()
        device = Device(board, server, boards.wifi)
        made.append(device)
        return device

    yield make
    leaks = []
    for device in made:
        if device.run:
            device.run.kill()
        device.backend.stop()
        if device.deeplink and device.run:
            text = "\n".join(device.run.log).encode()
            leaks += [s for s in device.secrets() if s in text]
    assert not leaks, "the console shows a secret"


@pytest.fixture
def device(make_device):
    """A device of generation C over http, provisioned and off."""
    made = make_device()
    made.provision()
    return made
