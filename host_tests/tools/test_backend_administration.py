"""Commands, tasks, fleets and departures, as the device and the administrator see them."""

import json
import socket
import struct
import threading
import time

import pytest

from flyve_mdm.backend.administration import UnknownAgent
from flyve_mdm.backend.membership import fleet_topic


@pytest.fixture
def pair(backend, device, link):
    """A backend of generation C and a connected device."""
    one = device(backend)
    one.enroll()
    connection = link(one)
    connection.subscribe(f"{connection.topic}/Command/#")
    connection.subscribe(f"{connection.topic}/Policy/#")
    assert connection.get().payload == b'{"subscribe":[{"topic":null}]}'
    return backend, one, connection


def during(work):
    """Run an administrator's waiting method beside the device; returns its result's getter."""
    result = []
    thread = threading.Thread(target=lambda: result.append(work()))
    thread.start()

    def get():
        thread.join(5)
        return result[0]

    return get


def test_ping_geolocate_inventory(pair):
    backend, one, connection = pair
    answer = during(lambda: backend.admin.ping(one.serial))
    message = connection.get()
    assert (message.payload, message.retain) == (b'{"query":"Ping"}', False)
    connection.publish("Status/Ping", "!")
    assert answer() is True
    answer = during(lambda: backend.admin.geolocate(one.serial))
    assert connection.get().payload == b'{"query":"Geolocate"}'
    connection.publish("Status/Geolocation", {"latitude": 48.1, "longitude": 2, "datetime": 9})
    assert answer() == {"latitude": 48.1, "longitude": 2, "datetime": 9}
    answer = during(lambda: backend.admin.inventory(one.serial))
    assert connection.get().payload == b'{"query":"Inventory"}'
    connection.publish("Status/Inventory", "<REQUEST><A>&amp;</A></REQUEST>")
    assert answer() is True
    assert backend.admin.ping(one.serial, wait=0.05) is False


def test_answers_by_rest(pair):
    backend, one, _ = pair
    one.log_in(one.settings["api_token"])
    path = "/PluginFlyvemdmAgent/17"
    answer = during(lambda: backend.admin.ping(one.serial))
    assert one.call("PUT", path, json={"input": {"_pong": "!"}}).json()[0]["17"] is True
    assert answer() is True
    one.call("PUT", path, json={"input": {"is_online": True}})
    assert one.agent.online
    position = {"_agents_id": "17", "computers_id": "65", "_datetime": 5, "_gps": "off"}
    assert one.call("POST", "/PluginFlyvemdmGeolocation", json={"input": position}).is_success
    assert one.agent.positions[-1]["latitude"] == "na"
    task = backend.tasks.remove_file(one.serial, "%SDCARD%/x")
    criteria = {
        "criteria[0][field]": 5, "criteria[0][searchtype]": "equals", "criteria[0][value]": 17,
        "criteria[1][field]": 6, "criteria[1][searchtype]": "equals",
        "criteria[1][value]": task.id, "forcedisplay": 2,
    }  # fmt: skip
    found = one.call("GET", "/search/PluginFlyvemdmTaskstatus/", params=criteria).json()
    row = found["data"][0]["2"]
    done = {"input": {"status": "done"}}
    assert one.call("PUT", f"/PluginFlyvemdmTaskstatus/{row}", json=done).is_success
    assert backend.tasks.wait_task(task, 1) == "done"


def test_tasks(pair):
    backend, one, connection = pair
    task = backend.tasks.deploy_file(one.serial, b"data", "%SDCARD%/dir", "a.txt")
    message = connection.get()
    assert message.topic == f"{connection.topic}/Policy/deployFile/Task/{task.id}"
    assert json.loads(message.payload) == {
        "deployFile": "%SDCARD%/dir/", "id": "1", "version": "1", "taskId": task.id,
    }  # fmt: skip
    for status in ("received", "in progress", "waiting", "done"):
        connection.publish(f"Status/Task/{task.id}", {"status": status})
    assert backend.tasks.wait_task(task, 5) == "done"
    row = backend.state.status_of(task, one.agent)
    assert row.history == ["pending", "received", "waiting", "done"]
    backend.tasks.update_file(task.item, b"newer")
    assert json.loads(connection.get().payload)["version"] == "2"
    assert row.status == "pending"
    backend.tasks.remove_task(task)
    assert connection.get().payload == b""
    policy = backend.tasks.policy(one.serial, "disableCamera", True)
    assert json.loads(connection.get().payload) == {"disableCamera": "true", "taskId": policy.id}
    connection.publish(f"Status/Task/{policy.id}", {"status": "waiting"})  # for deployments only
    connection.publish(f"Status/Task/{policy.id}", {"status": "incompatible"})
    assert backend.tasks.wait_task(policy, 5) == "incompatible"
    backend.options.develop = True
    backend.tasks.remove_task(policy)
    assert json.loads(connection.get().payload)["disableCamera"] == "default"
    app = backend.tasks.deploy_app(one.serial, b"zip", "org.example.app", "18")
    assert json.loads(connection.get().payload) == {
        "deployApp": "org.example.app", "id": "1", "versionCode": "18", "taskId": app.id,
    }  # fmt: skip


def test_fleet(pair):
    backend, one, connection = pair
    fleet = backend.admin.fleet(one.serial, "north")
    topic = fleet_topic(backend.site, fleet)
    assert json.loads(connection.get().payload) == {"subscribe": [{"topic": topic}]}
    connection.subscribe(f"{topic}/#")
    task = backend.tasks.remove_app(fleet, "org.example.app")
    assert connection.get().topic == f"{topic}/Policy/removeApp/Task/{task.id}"
    backend.admin.fleet(one.serial, None)
    assert connection.get().payload == b'{"subscribe":[{"topic":null}]}'
    connection.publish(f"Status/Task/{task.id}", {"status": "done"})
    assert backend.wait_event("ignored", reason="task of another agent or fleet")
    backend.tasks.remove_app(fleet, "org.example.other")
    assert connection.inbox.empty()


def test_unenroll(pair):
    backend, one, connection = pair
    answer = during(lambda: backend.admin.unenroll(one.serial))
    assert connection.get().payload == b'{"unenroll":"now"}'
    connection.publish("Status/Unenroll", {"unenroll": "unenrolled"})
    assert answer() is True
    assert backend.wait_event("purged")
    refused = one.http.get("/initSession", params={"user_token": one.settings["api_token"]})
    assert refused.json()[0] == "ERROR_GLPI_LOGIN_USER_TOKEN"
    with pytest.raises(UnknownAgent):
        backend.admin.ping(one.serial)


def test_delete_is_seen_online_and_leaves_old_commands(pair, device, link):
    backend, one, connection = pair
    backend.admin.lock(one.serial)
    assert connection.get().payload == b'{"lock":"now"}'
    backend.admin.delete(one.serial)
    assert connection.get().payload == b'{"unenroll":"now"}'
    assert not link(one).accepted
    again = device(backend)
    again.enroll()
    fresh = link(again)
    fresh.subscribe(f"{fresh.topic}/Command/#")
    left = {fresh.get().topic.rpartition("/")[2] for _ in range(2)}
    assert left == {"Lock", "Subscribe"}  # the real backend's trap; Unenroll is cleared


def test_lock_is_ignored_when_wiping(pair):
    backend, one, connection = pair
    backend.admin.wipe(one.serial)
    assert connection.get().payload == b'{"wipe":"now"}'
    assert backend.admin.lock(one.serial) is False


def test_generation_a_groups(start, device, link):
    backend = start("A")
    one = device(backend)
    one.enroll()
    connection = link(one)
    connection.subscribe(f"{connection.topic}/Subscription")
    assert json.loads(connection.get().payload) == {"subscribe": [{"topic": None}]}
    task = backend.tasks.deploy_file(one.serial, b"data", name="a.txt")
    (entry,) = json.loads(connection.get().payload)["subscribe"]
    assert entry["topic"].startswith("/76/fleet/")
    connection.subscribe(entry["topic"] + "/#")
    message = connection.get()
    assert message.topic == entry["topic"] + "/file"
    assert json.loads(message.payload)["file"][0]["taskId"] == str(task.id)
    rows = {"updateStatus": [{"taskId": task.id, "status": "done"}]}
    connection.publish("Status/Task", rows)
    assert backend.tasks.wait_task(task, 5) == "done"


def test_ntp(backend):
    def ask(server=backend.ntp_server):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.2)
            client.sendto(b"\x1b" + bytes(47), ("127.0.0.1", server.port))
            return struct.unpack("!I", client.recv(48)[40:44])[0] - 2208988800

    assert abs(ask() - time.time()) < 2
    backend.options.ntp_offset = 1000
    assert abs(ask() - time.time() - 1000) < 2
    assert abs(ask(backend.second_ntp_server) - time.time()) < 2
    backend.options.ntp_leap = 5000
    assert abs(ask() - time.time() - 5000) < 2
    assert abs(ask() - time.time() - 1000) < 2
    backend.options.ntp_answer = "zero"
    assert ask() == -2208988800
    backend.options.ntp_silent = True
    with pytest.raises(TimeoutError):
        ask()
