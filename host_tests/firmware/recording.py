"""Good streams: what backend and broker really send to a board that enrolls, gets a file and
answers a Ping."""

from __future__ import annotations

from pathlib import Path

from host_tests.kit.backend import Proxied
from host_tests.kit.boards.device import Device
from host_tests.kit.boards.virtual import VirtualBoards


def record(folder: Path) -> tuple[dict[str, bytes], bytes]:
    """The answers of the backend by request ("GET initSession", "BYTES" for a file's content),
    and all that the broker sent."""
    boards = VirtualBoards(folder)
    with Proxied(default_profile=4) as backend:
        device = Device(boards.make(), backend, boards.wifi)
        device.go_online(reconnect_spread=0)
        data = bytes(range(256)) * 20
        task = backend.tasks.deploy_file(device.agent.id, data, "%SDCARD%/", name="a.bin")
        assert backend.tasks.wait_task(task, 30) == "done"
        assert backend.admin.ping(device.agent.id)
        device.run.kill()
        answers = {}
        for passage in backend.rest.passages:
            line, _, rest = bytes(passage.up).partition(b"\r\n")
            if not passage.down:
                continue
            verb, target, _ = line.decode().split(" ")
            name = target.split("?")[0].removeprefix("/apirest.php/").split("/")[0]
            known = f"{verb} {name}"
            answers["BYTES" if b"octet-stream" in rest else known] = bytes(passage.down)
        return answers, bytes(backend.mqtt.passages[0].down)
