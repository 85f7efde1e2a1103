"""Files that an administrator deploys: they arrive exactly, and their tasks end as they did."""

import time

import pytest

from host_tests.kit.sample import content


@pytest.fixture(params=["A", "B", "C"])
def any_online(request, make_device):
    return make_device(generation=request.param).go_online()


def test_a_file_arrives_in_its_directory(any_online):
    data = content(100_000)
    task = any_online.backend.tasks.deploy_file(17, data, "%SDCARD%/music/", name="song.bin")
    any_online.ends(task, "done")
    assert any_online.history(task) == ["pending", "received", "waiting", "done"]
    assert any_online.board.read("/files/music/song.bin") == data


def test_a_full_path_is_a_path(online):
    data = content(5000)
    file = online.backend.tasks.add_file(data, "other.bin")
    value = {"deployFile": "%SDCARD%/full.bin", "id": str(file.id), "version": "1"}
    task = online.backend.tasks._apply(17, "deployFile", value, "file", file)
    online.ends(task, "done")
    assert online.board.read("/files/full.bin") == data


def test_a_configured_root_is_used(make_device):
    online = make_device().go_online(roots={"LOGS": "/data/logs"})
    task = online.backend.tasks.deploy_file(17, b"x" * 10, "%LOGS%/", name="a")
    online.ends(task, "done")
    assert online.board.read("/data/logs/a") == b"x" * 10


def test_a_new_version_replaces_the_file(online):
    file = online.backend.tasks.add_file(content(3000), "f.bin")
    task = online.backend.tasks.deploy_file(17, file)
    online.ends(task, "done")
    new = content(4000, 1)
    online.backend.tasks.update_file(file, new)
    online.ends(task, "done", "pending")
    assert online.board.read("/files/f.bin") == new


def test_a_replay_after_a_restart_does_not_download_again(online):
    task = online.backend.tasks.deploy_file(17, content(3000), name="f.bin")
    online.ends(task, "done")
    online.run.kill()
    before = len(online.gets("PluginFlyvemdmFile"))
    online.start()
    online.online()
    online.run.wait_log(rf"policies: task {task.id} done")
    assert len(online.gets("PluginFlyvemdmFile")) == before


def test_a_file_is_removed(online):
    online.ends(online.backend.tasks.deploy_file(17, b"abc", name="f"), "done")
    online.ends(online.backend.tasks.remove_file(17, "%SDCARD%/f"), "done")
    assert "/files/f" not in dict(online.board.files())


def test_a_file_that_the_backend_lost_fails_with_the_reason(online):
    task = online.backend.tasks.deploy_file(17, b"abc", name="f")
    online.ends(task, "done")
    value = {"deployFile": "%SDCARD%/", "id": "999", "version": "1"}
    task = online.backend.tasks._apply(17, "deployFile", value, "file")
    online.ends(task, "failed")
    assert online.run.wait_log(r"task \d+ deployfile: ERROR_ITEM_NOT_FOUND")


@pytest.mark.parametrize("name", ["../evil", "a/b", "..", "x\\y"])
def test_a_bad_name_fails_and_nothing_is_written(online, name):
    before = {path for path, _ in online.board.files()}
    online.ends(online.backend.tasks.deploy_file(17, b"abc", name=name), "failed")
    kept = {"/tasks.json", "/outbox.json", "/failures.json"}
    assert {path for path, _ in online.board.files()} - before <= kept


def test_a_file_that_does_not_fit_fails_before_its_first_byte(make_device):
    online = make_device(flash_size=1 << 20).go_online()
    online.ends(online.backend.tasks.deploy_file(17, content(2 << 20), name="big"), "failed")
    online.run.wait_log("no space")
    assert len(online.gets("PluginFlyvemdmFile")) == 1


def test_a_ping_is_answered_while_the_server_sends_no_byte(online):
    online.backend.fault("PluginFlyvemdmFile", "delay", seconds=3, times=1)
    task = online.backend.tasks.deploy_file(17, content(50_000), name="f")
    online.run.wait_log(rf"policies: task {task.id} waiting")
    assert online.backend.admin.ping(17, wait=1)


def test_a_download_goes_on_after_a_restart(online):
    data = content(400_000)
    online.backend.fault("PluginFlyvemdmFile", "trickle", step=4096, seconds=0.02)
    task = online.backend.tasks.deploy_file(17, data, name="f.bin")
    online.run.wait_log(rf"policies: task {task.id} waiting")
    assert online.backend.wait_for(lambda: online.gets("PluginFlyvemdmFile")[1:], 10)
    time.sleep(1)
    online.run.kill()
    online.backend.options.faults.clear()
    online.start()
    online.run.wait_log(r"download: goes on at byte \d{5}", 20)
    online.ends(task, "done")
    assert online.board.read("/files/f.bin") == data


def test_a_session_that_expires_in_the_middle_is_renewed(make_device):
    online = make_device()
    online.provision(chunk=8192)
    online.start(heap="128K")
    online.online()
    data = content(100_000)

    def expire(request):
        if len(online.gets("PluginFlyvemdmFile")) == 4:
            online.backend.expire_sessions()

    online.backend.requests.subscribe(expire)
    online.ends(online.backend.tasks.deploy_file(17, data, name="f.bin"), "done")
    assert len(online.gets("initSession")) == 3  # enrollment, download, and once more
    assert online.board.read("/files/f.bin") == data


def test_a_task_that_is_taken_back_while_its_file_comes_ends_quietly(online):
    online.backend.fault("PluginFlyvemdmFile", "trickle", step=4096, seconds=0.05)
    task = online.backend.tasks.deploy_file(17, content(400_000), name="f.bin")
    online.run.wait_log(rf"policies: task {task.id} waiting")
    online.backend.tasks.remove_task(task)
    online.run.wait_log(rf"policies: task {task.id} is out of date")
    assert online.backend.admin.ping(17, wait=2)
    assert "/files/f.bin" not in dict(online.board.files())


@pytest.mark.parametrize("status", [401, 429])
def test_what_something_before_glpi_refuses_is_tried_again(online, status):
    online.backend.fault("PluginFlyvemdmFile", "error", status=status, times=1)
    online.ends(online.backend.tasks.deploy_file(17, b"abc", name="f"), "done")
