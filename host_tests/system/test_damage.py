"""Whatever lies on the flash or in NVS, the board starts, names it, and comes as far as it can."""

import pytest

from host_tests.kit.packages import fill_nvs

pytestmark = pytest.mark.virtual

FILES = ("config.json", "tasks.json", "tasks.new", "outbox.json", "keep.json", "%part",
         "part.json", "part.slot", "apps.new", "deeplink", "apps/one/.current",
         "apps/.current")  # fmt: skip
CONTENTS = {
    "empty": b"",
    "binary": bytes(range(256)) * 3,
    "list": b'[[1, 2, 3], {"a": [null]}, 5]',
    "wrong types": b'["17", [[1, 2, 3], "abc", null]]',
    "object": b'{"update": "x", "wifi": 5, "serial": [], "led": 35, "button": 35, "ntp": [1]}',
    "number": b"-1e99",
    "nested": b"[" * 9000,
    "long": b"x" * 150_000,
}
INTEGERS = ("net", "update", "crashes", "base", "wipe")
NVS = {
    "blobs": dict.fromkeys(["rec.a", "rec.b", "wifi", *INTEGERS], b"\xff" * 9),
    "integers": dict.fromkeys(["rec.a", "rec.b", *INTEGERS], -1),
    "largest": dict.fromkeys(INTEGERS, 0x7FFFFFFF),
    "long": dict.fromkeys(("rec.a", "rec.b"), b"x" * 4000),
    "no networks": {"wifi": b'{"a": "b"}'},
    "wrong networks": {"wifi": b'[["a"], 5, [1, 2]]'},
}  # fmt: skip


# A8
def test_a_damaged_file_of_any_content_does_not_keep_the_board_offline(make_device):
    device = make_device(flash_size=2 << 20).go_online()
    for content in CONTENTS.values():
        device.run.kill()
        device.board.change({"/" + name: content for name in FILES if name != "deeplink"})
        device.start()
        device.online()
    assert device.run.resets == []


# A8
def test_a_folder_in_the_place_of_any_file_does_not_keep_the_board_offline(make_device):
    device = make_device(flash_size=2 << 20).go_online()
    device.run.kill()
    names = ["wiping", "ca.der", *FILES]
    device.board.change({"/" + name: None for name in names})
    device.board.change({f"/{name}/x": b"x" for name in names})
    device.start()
    device.online()
    assert not any(path.startswith(("/wiping", "/config")) for path, _ in device.board.files())


# A8
@pytest.mark.parametrize("damage", NVS)
def test_damaged_nvs_does_not_end_the_agent(make_device, damage):
    device = make_device()
    device.provision(led=35, button=35)
    device.board.change(entries={("flyve", key): value for key, value in NVS[damage].items()})
    device.start()
    if isinstance(NVS[damage].get("wifi"), bytes):
        device.run.wait_log("wifi: its settings are unreadable: flyve provision --wifi")
    else:
        device.online()
    assert device.run.resets == []


# A8
def test_an_agent_whose_nvs_is_full_comes_online(make_device):
    device = make_device().go_online()
    device.run.kill()
    fill_nvs(device.board)
    device.start()
    device.online()
    assert device.backend.admin.ping(17, wait=5)


# A8
def test_a_board_whose_nvs_is_full_before_its_first_start_waits_and_names_it(make_device):
    device = make_device()
    device.provision()
    fill_nvs(device.board)
    device.start()
    device.run.wait_log("NOT_ENOUGH_SPACE|-4357")
    device.run.wait_log("enrollment: next try in")
    assert device.run.resets == []
