"""Why a task failed reaches the administrator, who has asked for nothing."""

import xml.etree.ElementTree as ElementTree

import pytest

from flyve_mdm import inventory
from host_tests.kit import administrator

WHY = "unknown root in %NOWHERE%/\N{GRINNING FACE} a/"


def flyve(device, *args, code=0):
    return administrator.flyve(device.backend, "admin", *args, code=code)


def told(device, task):
    return device.backend.admin.why(device.agent, task, 10)


# B3
@pytest.mark.parametrize("how", ["A", "mqtt", "rest"])
def test_the_reason_comes_after_the_status(make_device, how):
    device = make_device(generation="A" if how == "A" else "C")
    device.go_online(**({} if how == "A" else {"report": how}))
    backend = device.backend
    task = backend.tasks.deploy_file(17, b"data", "%NOWHERE%/\N{GRINNING FACE} a", name="x")
    device.ends(task, "failed")
    assert told(device, task) == WHY
    lines = flyve(device, "list", "--why").splitlines()
    assert lines[0].split() == ["id", "serial", "task", "policy", "status", "why"]
    # GLPI keeps the text of those inventories only that come over MQTT.
    shown = "not told yet: flyve admin inventory 17" if how == "rest" else WHY
    row = ["17", device.agent.serial, "1", "deployFile", "failed", shown]
    assert lines[1].split(None, 5) == row
    if how == "rest":
        assert "those that came over MQTT" in flyve(device, "inventory", "--last", "17", code=1)


# B3
@pytest.mark.virtual
def test_reasons_outlive_a_restart_until_the_task_is_taken_back(make_device):
    device = make_device().go_online()
    backend = device.backend
    first = backend.tasks.deploy_file(17, b"data", "%NOWHERE%", name="x")
    second = backend.tasks.policy(17, "disableCamera", True)
    device.ends(first, "failed")
    device.ends(second, "incompatible")
    assert told(device, first)
    device.restart()
    shown = flyve(device, "inventory", "17")
    assert "  REASON" in shown and "not for this kind of device" in shown
    assert "unknown root in %NOWHERE%/" in shown
    lines = shown.splitlines()
    assert any(line.split() == ["BIOS", "SSN", device.agent.serial] for line in lines)
    xml = flyve(device, "inventory", "--xml", "--last", "17")
    assert ElementTree.fromstring(xml).findtext("CONTENT/BIOS/SSN") == device.agent.serial
    backend.tasks.remove_task(first)
    device.run.wait_log("task 1 removed", 5, since=0)
    assert backend.admin.inventory(17, wait=5)
    (left,) = inventory.failures(backend.state.computers[device.agent.computer_id].inventory)
    assert left["task"] == str(second.id) and left["status"] == "incompatible"


# B3
def test_the_administrators_command_tells_why(make_device, tmp_path):
    device = make_device().go_online()
    (tmp_path / "x.txt").write_bytes(b"data")
    where = "--destination=%SDCARD%/.."  # which the plugin takes
    output = flyve(device, "deploy-file", where, "17", str(tmp_path / "x.txt"), code=1)
    assert "the task is not done: failed: refused file name" in output
    unknown = "--destination=%NOWHERE%/"
    output = flyve(device, "deploy-file", unknown, "17", str(tmp_path / "x.txt"), code=1)
    assert "GLPI refuses deployFile: invalid base path" in output


# B3
def test_of_an_application_that_raises_the_exception_is_told(make_device):
    device = make_device().go_online()
    source = b"def start(agent):\n    raise ValueError('no sensor')\n    yield\n"
    task = device.backend.tasks.deploy_app(17, source, "org.example.app", name="app.py")
    row = device.backend.state.status_of(task, device.agent)
    assert device.backend.wait_for(lambda: row.status == "failed", 15)
    assert "ValueError" in told(device, task) and "no sensor" in told(device, task)
