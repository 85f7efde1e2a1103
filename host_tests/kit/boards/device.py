"""A whole board, virtual or behind a port, and the simulated backend that invited it."""

from __future__ import annotations

import json

from flyve_mdm.backend.server import Backend
from flyve_mdm.build import firmware, pure


class Device:
    """A provisioned board and the backend that invited it."""

    def __init__(self, board, backend: Backend, wifi: tuple):
        self.board = board
        self.backend = backend
        self.wifi = wifi
        self.run = None
        self.runs = []
        self.deeplinks = []
        self._credentials = []
        backend.events.subscribe(self._note)

    def _note(self, event):
        # The backend forgets them with the agent.
        if event.kind == "credentials given":
            agent = self.backend.state.agents[event.detail["agent"]]
            account = self.backend.state.users[agent.user_id]
            self._credentials += [agent.mqttpasswd.encode(), account.api_token.encode()]

    def provision(self, email="user@example.org", deeplink=None, main="", **settings):
        """Puts an invitation and the settings into the flash, and with `main` another main.py;
        returns the deeplink."""
        backend = self.backend
        link = deeplink or backend.invite(email)
        self.deeplinks.append(link)
        known = {"email": email, "ntp": [backend.ntp], "reconnect_spread": 1, "stable": 1}
        settings = {**known, **settings}
        files = {"/deeplink": link, "/config.json": json.dumps(settings)}
        if main:
            files["/main.py"] = firmware.follow(main)
        files = {path: text.encode() for path, text in files.items()}
        if backend.ca_der:
            files["/ca.der"] = backend.ca_der.read_bytes()
        wifi = json.dumps([self.wifi]).encode()
        self.board.change(files, {("flyve", "wifi"): wifi})
        return link

    def start(self, **how):
        """Switches the board on."""
        self.run = self.board.start(**how)
        self.runs.append(self.run)
        return self.run

    def restart(self):
        """Switches a board that runs off and on; returns when it is online."""
        self.run.kill()
        self.start()
        self.online()

    @property
    def agent(self):
        """The only agent, as the backend knows it."""
        (agent,) = self.backend.agents
        return agent

    def send(self, name, payload, retain=False):
        """Publishes on a Command topic of the agent; returns when the broker has it."""
        self.backend.listener.publish(f"{self.agent.topic}/Command/{name}", payload, retain)
        self.backend.listener.flush()

    def settled(self):
        """Returns when the commands before this one are dealt with."""
        assert self.backend.admin.geolocate(self.agent, wait=5)

    def later(self, pattern, seconds=0, timeout=10):
        """So much time passes for the board; waits for a new line with the pattern after that."""
        since = len(self.run.log)
        self.passes(seconds)
        self.run.wait_log(pattern, timeout, since)

    def passes(self, seconds):
        """So much time passes for the board; returns when it has."""
        ahead = self.board.pass_time(seconds)
        if seconds:
            self.run.wait_log(f"board: {ahead} s ahead", 40)

    def said(self, text):
        """How many lines of the console hold the text."""
        return sum(text in line for line in self.run.log)

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
        row = self.backend.state.status_of(task, self.backend.admin.agent(17))
        if before:
            assert self.backend.wait_for(lambda: row.history.count(before) == 2, timeout)
        found = self.backend.tasks.wait_task(task, timeout)
        assert found == wanted, "\n".join(self.run.log)

    def history(self, task):
        """The statuses that a task has had, as the backend got them."""
        return self.backend.state.status_of(task, self.backend.admin.agent(17)).history

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

    def secrets_on_board(self, secrets=None):
        """Those of the secrets (default: the invitations') that a live NVS key or a file on the
        board still holds."""
        kept = [value for _, _, _, value in self.board.nvs()]
        kept += [self.board.read(path) for path, _ in self.board.files()]
        kept = [value if isinstance(value, bytes) else str(value).encode() for value in kept]
        return [s for s in secrets or self.secrets() if any(s in value for value in kept)]

    def secrets_in_images(self, secrets):
        """Those of the secrets that the raw flash or NVS still holds."""
        images = [(self.board.path / name).read_bytes() for name in ("flash.img", "nvs.bin")]
        return [s for s in secrets if any(s in image for image in images)]

    def secrets(self):
        """Tokens of the invitations, as bytes."""
        found = [pure.load("jobs.deeplink").parse(link) for link in self.deeplinks]
        return [t.encode() for i in found for t in (i.user_token, i.invitation_token)]

    def credentials(self):
        """What enrollment brought, and the tokens of all REST sessions, as bytes."""
        sessions = set()
        for request in self.backend.requests:
            sessions.add(request.headers.get("session-token", ""))
        return [*self._credentials, *(s.encode() for s in sessions if s)]
