"""Files and applications over REST: uploads that GLPI takes, tasks, and what it cannot do."""

import json

import pytest

from flyve_mdm.backend.model import Status
from host_tests.kit.administrator import flyve

APP = b"def start(agent):\n    yield\n"


@pytest.fixture
def boss(backend, device):
    """Runs commands beside an agent that nobody answers for."""
    device(backend).enroll()
    return lambda *args, code=0: flyve(backend, "admin", *args, code=code)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a \u017c.mpy"
    path.write_bytes(bytes(range(256)) + b"\r\n\r")
    return path


def uploads(backend):
    return [one for one in backend.requests if "multipart" in one.headers.get("content-type", "")]


def test_a_file_of_any_name_and_bytes_is_shipped_in_the_agents_entity(backend, boss, file):
    assert boss("deploy-file", "--wait", "0", "17", file) == "task 1: pending\n"
    (stored,) = backend.state.files.values()
    assert (stored.name, stored.data, stored.entity) == (file.name, file.read_bytes(), 76)
    (sent,) = uploads(backend)
    boundary = sent.headers["content-type"].partition("boundary=")[2].encode()
    manifest, part = sent.body.split(b"--" + boundary)[1:3]
    assert b'name="uploadManifest"' in manifest
    assert manifest.endswith('{"input": {"name": "a \u017c.mpy"}}\r\n'.encode())
    assert b'name="file"; filename="' in part and b'.zip"' in part
    task = json.loads(backend.requests[-3].body)["input"]
    assert task == {
        "itemtype_applied": "PluginFlyvemdmAgent", "items_id_applied": 17,
        "plugin_flyvemdm_policies_id": 3, "itemtype": "PluginFlyvemdmFile", "items_id": 1,
        "value": {"destination": "%SDCARD%/", "remove_on_delete": 1},
    }  # fmt: skip
    boss("deploy-file", "--wait", "0", "17", file)
    first, second = uploads(backend)
    assert first.body.count(b".zip") == 1 and first.body != second.body  # of another name


def test_what_becomes_of_a_task_is_waited_for(backend, boss, file, link):
    one = backend.agents[0]

    def done(event):
        if event.kind == "task created":
            row = backend.state.status_of(backend.state.tasks[event.detail["task"]], one)
            row.status = "done"

    backend.events.subscribe(done)
    assert boss("deploy-file", "17", file) == "task 1: done\n"
    assert boss("remove-file", "17", "%SDCARD%/x") == "task 2: done\n"
    assert boss("remove-app", "17", "org.example") == "task 3: done\n"
    told = boss("remove-app", "17", "org.example", code=1)
    assert "GLPI refuses removeApp: Policy already applied" in told


def test_an_end_that_does_not_come_is_told(boss, file):
    told = boss("remove-file", "--wait", "0.1", "17", "%SDCARD%/x", code=1)
    assert told.startswith("task 1: pending\n") and "not done: pending" in told


def test_two_rows_of_a_status_are_told_by_name(backend, boss):
    def again(event):
        if event.kind == "task created":
            backend.state.add("statuses", Status, agent_id=17, task_id=event.detail["task"])

    backend.events.subscribe(again)
    told = boss("remove-file", "17", "%SDCARD%/x", code=1)
    assert "GLPI has two statuses of it and so stores no other" in told


@pytest.mark.parametrize("name", ['a"b', "a\\b"])
def test_a_name_that_glpi_would_destroy_is_refused_before(backend, boss, file, name):
    told = boss("deploy-file", "--name", name, "17", file, code=1)
    assert "GLPI destroys quotes and backslashes in a name" in told and not uploads(backend)


def test_what_gets_no_task_does_not_stay(backend, boss, file):
    told = boss("deploy-file", "--destination", "%NO%/", "17", file, code=1)
    assert "GLPI refuses deployFile: invalid base path" in told
    assert not backend.state.files and not backend.state.tasks


def test_a_file_that_is_too_large_for_php_is_told(backend, boss, file):
    backend.options.post_max_size = 100
    told = boss("deploy-file", "17", file, code=1)
    assert "raise post_max_size and upload_max_filesize" in told


@pytest.mark.parametrize("generation", "BC")
def test_an_application_is_named_by_hand(start, device, tmp_path, generation):
    backend = start(generation)
    device(backend).enroll()
    path = tmp_path / "app.py"
    path.write_bytes(APP)
    flyve(backend, "admin", "deploy-app", "--wait", "0", "--version-code", "3", "17",
          "org.example", path)  # fmt: skip
    (stored,) = backend.state.packages.values()
    assert (stored.package_name, stored.version_code, stored.name) == (
        "org.example",
        "3",
        "app.py",
    )
    assert (stored.data, stored.parse_status, stored.entity) == (APP, "parsed", 76)
    (task,) = backend.state.tasks.values()
    assert task.value == {"deployApp": "org.example", "id": "1", "versionCode": "3"}
    (change,) = [one.body for one in backend.requests if one.method == "PUT"]
    assert json.loads(change)["input"]["dl_filename"] == "app.py"


def test_an_application_for_the_first_generation_is_not_possible_by_name(start, device, tmp_path):
    backend = start("A")
    device(backend).enroll()
    (tmp_path / "app.py").write_bytes(APP)
    told = flyve(backend, "admin", "deploy-app", "17", "org.example", tmp_path / "app.py", code=1)
    assert "not possible over REST" in told and "deploy-file" in told
    assert not backend.state.packages


def test_a_glpi_that_takes_no_apk_files_is_told(backend, boss, tmp_path):
    for number, kind in list(backend.state.document_types.items()):
        if kind.ext == "apk":
            del backend.state.document_types[number]
    (tmp_path / "app.py").write_bytes(APP)
    told = boss("deploy-app", "17", "org.example", tmp_path / "app.py", code=1)
    assert "Unable to save the file" in told and "has a button that adds them" in told


def test_the_first_generation_gets_a_fleet_for_each_agent(start, device, file):
    backend = start("A")
    device(backend).enroll()
    device(backend, email="bob@example.org", serial="B2").enroll()
    flyve(backend, "admin", "deploy-file", "--wait", "0", "17", file)
    (task,) = backend.state.tasks.values()
    fleet = backend.state.fleets[backend.admin.agent(17).fleet_id]
    assert task.fleet_id == fleet.id and fleet.name == "fleet of ESP32-0001"
    flyve(backend, "admin", "remove-file", "--wait", "0", "17", "%SDCARD%/x")
    assert len(backend.state.fleets) == 2
    flyve(backend, "admin", "fleet", "B2", fleet.name)
    told = flyve(backend, "admin", "remove-file", "17", "%SDCARD%/y", code=1)
    assert "tasks of fleets only, and 1 other devices are in fleet of ESP32-0001" in told
