"""Damaged messages from the broker, on the whole way from the inbox to the status."""

import json

import pytest

from host_tests.firmware.batches import run, sizes
from host_tests.kit.damage import BYTES, damaged
from host_tests.kit.sample import chance

BOARD = True
HEAP = "1M"


_VALUES = ("true", "false", "default", "", "0", "-1", "60", 5, -5, 1.5, None, True, [], {}, [1],
           "%SDCARD%/a/", "%SDCARD%/../x", "/flyve/agent.mpy", "/files/../boot.py", "%NO%/x",
           "org.app", "../x", "a" * 200, "\x00", "\ud83d\ude00", {"a": {"b": []}})  # fmt: skip
_SYMBOLS = ("deployFile", "removeFile", "deployApp", "removeApp", "periodicGeolocation",
            "disableWifi", "disableBluetooth", "disableCamera", "passwordMinLength", "", "é",
            "DEPLOYFILE", "taskId")  # fmt: skip


def _message(random):
    symbol, value = random.choice(_SYMBOLS), random.choice(_VALUES)
    task = random.choice((1, "1", 7, "x", -1, "", 10**20, None, [], 1.5, "é", "a" * 300))
    body = {symbol: value, "taskId": task}
    for name in ("id", "version", "versionCode"):
        if random.random() < 0.6:
            body[name] = random.choice((1, "1", "x", None, [], -1, 10**12, "", 2.5))
    if random.random() < 0.1:
        body = {symbol: [body, body]}
    topic = random.choice((
        f"76/agent/SN1/Policy/{symbol}/Task/{task}", f"76/fleet/1/Policy/{symbol}/Task/{task}",
        f"76/agent/SN1/Policy/{symbol}", "76/fleet/1/group", f"76/agent/SN1/Command/{symbol}",
    ))  # fmt: skip
    text = json.dumps(body).encode()
    return [topic.encode(), random.choice((text, text, text, damaged(random, text, BYTES), b""))]


@sizes(400, 20_000)
def test_messages_from_the_broker(upy, count):
    random = chance("message")
    run(upy, "messages", lambda: _message(random), count)


@pytest.mark.parametrize(
    ("symbol", "body"),
    [
        ("deployFile", b'{"deployFile":"%SDCARD%/","id":1e999,"taskId":1}'),
        ("deployApp", b'{"deployApp":"org.app","id":-1e999,"taskId":1}'),
        ("periodicGeolocation", b'{"periodicGeolocation":1e999,"taskId":1}'),
        ("periodicGeolocation", b'{"periodicGeolocation":' + b"9" * 3000 + b',"taskId":1}'),
        # MicroPython's json takes a number for a key.
        ("x", b'{5:1,"taskId":1}'),
    ],
    ids=["file", "app", "endless", "long", "key"],
)
def test_a_number_that_is_none_fails_the_task(upy, symbol, body):
    topic = f"76/agent/SN1/Policy/{symbol}/Task/1".encode()
    assert upy.call("damaged_input", "messages", [[topic, body]]) == []
