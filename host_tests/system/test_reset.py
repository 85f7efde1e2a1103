"""Back to blank without the backend, and a start after crashes."""

import socket
import struct
import time
import zlib

import pytest

from flyve_mdm.board import provision
from flyve_mdm.board.target import open_target


def test_boot_held_for_five_seconds_makes_the_board_blank(make_device):
    device = make_device().go_online()
    device.board.press_boot(9)
    device.run.wait_log("agent: reset by its button: restarting", 20)
    device.run.wait_log("agent: waiting for a deeplink")
    assert not device.agent.online
    device.run.kill()
    assert device.secrets_on_board(device.secrets() + device.credentials()) == []


@pytest.mark.virtual
def test_flyve_reset_leaves_nothing_of_the_enrollment(make_device):
    device = make_device().go_online()
    device.ends(device.backend.tasks.policy(17, "periodicGeolocation", "3600"), "done")
    device.run.kill()
    provision.forget(open_target(str(device.board.path)))
    assert device.secrets_on_board(device.secrets() + device.credentials()) == []
    kept = {"/tasks.json", "/outbox.json", "/failures.json"}
    assert not {path for path, _ in device.board.files()} & kept
    device.start().wait_log("agent: waiting for a deeplink")


def test_a_record_that_is_damaged_in_both_slots_says_what_to_do(device):
    device.provision()
    device.board.nvs_set("flyve", "rec.a", b"damaged")
    device.board.nvs_set("flyve", "rec.b", b"damaged")
    device.start()
    device.run.wait_log("record: slot rec.a is too short")
    device.run.wait_log("record: both slots are unreadable: run `flyve reset` and enroll again")


def test_a_record_of_newer_firmware_is_left_alone_and_named(device):
    head = struct.pack("<2sBBIH", b"FR", 9, 0, 1, 2) + b"{}"
    newer = head + struct.pack("<I", zlib.crc32(head))
    device.board.nvs_set("flyve", "rec.a", newer)
    device.start()
    device.run.wait_log("record: the record is of version 9, newer than this firmware knows")
    device.run.kill()
    assert ("flyve", "rec.a", "blob", newer) in device.board.nvs()


# Crashes in no application, for these are told apart: at the first five starts.
CRASHES = b"""
import machine
import os

with open("/starts", "a") as f:
    f.write("x")
if os.stat("/starts")[6] <= 5:
    machine.reset()
from flyve.agent import main

main()
"""


@pytest.mark.virtual
def test_five_crashes_at_the_start_bring_safe_mode(make_device):
    device = make_device().go_online()
    device.run.kill()
    device.board.change({"/main.py": CRASHES}, {})
    device.start()
    device.run.wait_log("agent: safe mode after 5 crashes: no applications", 40)
    device.online()
    assert device.backend.admin.ping(17, wait=10)


# A12
@pytest.mark.virtual
def test_boot_is_seen_while_the_broker_does_not_answer(device):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        device.provision(broker="127.0.0.1", port=silent.getsockname()[1])
        device.start()
        device.enrolled()
        pressed = time.monotonic()
        device.board.press_boot(9)
        device.run.wait_log("agent: reset by its button: restarting", 15)
        assert time.monotonic() - pressed < 9
        device.run.wait_log("agent: waiting for a deeplink")
    assert device.secrets_on_board(device.secrets() + device.credentials()) == []
