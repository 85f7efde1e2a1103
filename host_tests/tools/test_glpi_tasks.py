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


def test_an_end_that_does_not_come_is_told(backend, boss, file):
    told = boss("remove-file", "--wait", "0.1", "17", "%SDCARD%/x", code=1)
    assert told.startswith("task 1: pending\n")
    assert "not done: pending: the device is offline, and gets it when it is back" in told
    backend.agents[0].is_online = 1
    told = boss("remove-file", "--wait", "0.1", "17", "%SDCARD%/x", code=1)
    assert "not done: pending: `flyve admin tasks 17` tells how it goes on" in told


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
    assert "deployApp  org.example" in flyve(backend, "admin", "tasks", "17")
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


@pytest.fixture
def lab(backend, device):
    """Runs commands beside two devices of the fleet lab, and one that is in none."""
    for number in (1, 2, 3):
        device(backend, email=f"u{number}@example.org", serial=f"S{number}").enroll()
    for number in (17, 18):
        flyve(backend, "admin", "fleet", number, "lab")
    return lambda *args, code=0: flyve(backend, "admin", *args, code=code)


def ends(backend, **by_serial):
    """Each new task ends so on these devices."""

    def told(event):
        if event.kind == "task created":
            task = backend.state.tasks[event.detail["task"]]
            for one in backend.state.targets(task):
                backend.state.status_of(task, one).status = by_serial.get(one.serial, "done")

    backend.events.subscribe(told)


def test_a_fleet_gets_what_a_device_gets_and_is_waited_for_as_a_whole(backend, lab, file):
    ends(backend, S2="failed")
    told = lab("deploy-file", "fleet:lab", file, code=1)
    assert "task 1: 1 done, 1 failed\n" in told
    assert "`flyve admin list --why --fleet lab` tells of which" in told
    assert f"%SDCARD%/{file.name}" in lab("tasks", "fleet:lab")
    assert "only tasks are for a whole fleet" in lab("ping", "fleet:lab", code=1)
    ends(backend)
    assert lab("remove-file", "fleet:lab", "%SDCARD%/x") == "task 2: 2 done\n"
    assert all(task.fleet_id == 103 for task in backend.state.tasks.values())
    flyve(backend, "admin", "fleet", "17")
    flyve(backend, "admin", "fleet", "18")
    assert "no device is in it yet" in lab("remove-file", "fleet:lab", "%SDCARD%/y")


@pytest.mark.parametrize(
    ("name", "told"),
    [("fleet:a den", "`flyve admin fleet AGENT 'a den'` makes it"),
     ("fleet:not managed", "GLPI gives it no tasks")],
)  # fmt: skip
def test_a_fleet_that_gets_no_tasks_is_told(backend, lab, name, told):
    assert told in lab("policy", name, "periodicGeolocation", "60", code=1)
    assert not backend.state.tasks


@pytest.mark.parametrize("generation", "ABC")
def test_a_policy_gets_a_value_then_another_and_is_taken_back(start, device, generation):
    backend = start(generation)
    device(backend).enroll()
    ends(backend)

    def admin(*args, code=0):
        return flyve(backend, "admin", *args, code=code)

    assert admin("policy", "17", "periodicGeolocation", "60") == "task 1: done\n"
    assert admin("policy", "--wait", "0", "17", "periodicGeolocation", "90") == "task 1: pending\n"
    (task,) = backend.state.tasks.values()
    assert task.value == {"periodicGeolocation": "90"}
    shown = admin("tasks", "17").splitlines()
    assert shown[0].split() == ["task", "policy", "value", "of", "status"]
    of = "fleet" if generation == "A" else "device"
    assert shown[1].split() == ["1", "periodicGeolocation", "90", of, "pending"]
    assert admin("remove-task", "1") == "task 1: removed\n"
    assert not backend.state.tasks
    assert "there is no task 1" in admin("remove-task", "1", code=1)


def test_tasks_of_a_fleet_are_listed_by_it_and_by_its_devices(backend, lab):
    ends(backend, S2="failed")
    lab("policy", "--wait", "0", "fleet:lab", "disableBluetooth", "1")
    lab("policy", "--wait", "0", "17", "periodicGeolocation", "60")
    assert lab("tasks", "fleet:lab").splitlines()[1:] == [
        "1     disableBluetooth  1      fleet  1 done, 1 failed"
    ]
    assert [line.split()[:2] for line in lab("tasks", "17").splitlines()[1:]] == [
        ["1", "disableBluetooth"], ["2", "periodicGeolocation"]
    ]  # fmt: skip
    assert "done" in lab("tasks", "17") and "failed" not in lab("tasks", "17")
    assert len(lab("tasks", "19").splitlines()) == 1


@pytest.mark.parametrize(
    ("symbol", "value", "told"),
    [
        ("disableWifi", "yes", "disableWifi is 0 or 1, not yes"),
        ("periodicGeolocation", "1h", "is a whole number, not 1h"),
        ("passwordEnabled", "maybe", "GLPI refuses maybe for passwordEnabled"),
        ("deployFile", "x", "use `flyve admin deploy-file`"),
        ("reboot", "1", "GLPI has no policy reboot"),
    ],
)
def test_a_policy_that_is_not_possible_is_told(backend, boss, symbol, value, told):
    assert told in boss("policy", "17", symbol, value, code=1)
    assert not backend.state.tasks


def test_a_task_is_removed_also_where_the_plugin_fails_afterwards(backend, boss, file):
    ends(backend)
    boss("deploy-file", "17", file)
    backend.state.tasks[1].remove_on_delete = 0
    assert boss("remove-task", "1") == "task 1: removed\n"
    boss("deploy-file", "17", file)
    assert boss("remove-task", "2") == "task 2: removed\n"
    (left,) = backend.state.tasks.values()
    assert left.value == {"removeFile": f"%SDCARD%/{file.name}"}
    backend.fault("DELETE PluginFlyvemdmTask", "error", status=500)
    assert "failed with HTTP 500" in boss("remove-task", "3", code=1)
