"""Good streams: what backend and broker really send to a board that enrolls, gets a file and
answers a Ping."""

from __future__ import annotations

import json
from pathlib import Path

from flyve_mdm.backend.server import Backend
from flyve_mdm.board.board import VirtualBoard
from host_tests.kit.proxy import Proxy

SSID, PSK = "flyve", "flyve-demo"
JOIN_MS = 20


class Site:
    """A backend whose REST interface and broker are reached through proxies, and a board."""

    def __init__(self, folder: Path, **backend):
        self.backend = Backend(**backend)
        self.backend.start()
        self.rest = Proxy(self.backend.web.port)
        self.mqtt = Proxy(self.backend.broker.port)
        self.backend.site.port = self.rest.port  # what it tells of itself
        self.backend.options.broker_port = self.mqtt.port
        self.board = VirtualBoard.create(folder)
        self.board.set_air({SSID: PSK}, JOIN_MS)
        self.board.deploy()
        self.run = None

    def provision(self, main: str = "", **settings) -> None:
        """Puts a new invitation on the board, and with `main` another main.py."""
        known = {"email": "user@example.org", "ntp": [self.backend.ntp], "reconnect_spread": 0}
        files = {
            "/deeplink": self.backend.invite("user@example.org").encode(),
            "/config.json": json.dumps({**known, **settings}).encode(),
        }
        if self.backend.ca_der:
            files["/ca.der"] = self.backend.ca_der.read_bytes()
        if main:
            files["/main.py"] = main.encode()
        self.board.change(files, {("flyve", "wifi"): json.dumps([[SSID, PSK]]).encode()})

    def start(self, **how):
        """Switches the board on."""
        self.run = self.board.start(**how)
        return self.run

    def close(self) -> None:
        if self.run:
            self.run.kill()
        self.rest.close()
        self.mqtt.close()
        self.backend.stop()


def record(folder: Path) -> tuple[dict[str, bytes], bytes]:
    """The answers of the backend by request ("GET initSession", "BYTES" for a file's content),
    and all that the broker sent."""
    site = Site(folder, default_profile=4)
    try:
        site.provision()
        site.start()
        site.run.wait_log("link: online", 30)
        (agent,) = site.backend.agents
        data = bytes(range(256)) * 20
        task = site.backend.tasks.deploy_file(agent.id, data, "%SDCARD%/", name="a.bin")
        assert site.backend.tasks.wait_task(task, 30) == "done"
        assert site.backend.admin.ping(agent.id)
        site.run.kill()
        answers = {}
        for passage in site.rest.passages:
            line, _, rest = bytes(passage.up).partition(b"\r\n")
            if not passage.down:
                continue
            verb, target, _ = line.decode().split(" ")
            name = target.split("?")[0].removeprefix("/apirest.php/").split("/")[0]
            known = f"{verb} {name}"
            answers["BYTES" if b"octet-stream" in rest else known] = bytes(passage.down)
        return answers, bytes(site.mqtt.passages[0].down)
    finally:
        site.close()
