"""Damaged settings: each that is kept is one that may be."""

import json

import pytest

from host_tests.firmware.batches import run, sizes
from host_tests.kit.damage import BYTES, damaged
from host_tests.kit.sample import chance

BOARD = True
HEAP = "1M"


def _replace(data, random):
    """Another value in the place of one."""
    try:
        values = json.loads(data)
        name = random.choice(sorted(values))
    except (ValueError, TypeError, IndexError):
        return data
    values[name] = random.choice((
        None, True, -1, 10**30, 1e300, "", "x" * 3000, [], [1], [[]], {}, {"a": 1}, {"": ""},
        {"SDCARD": None}, ["pool.ntp.org", 5], [None], "a/b", "\ud800", 0, 3600.5, float("inf"),
    ))  # fmt: skip
    return json.dumps(values).replace("Infinity", "1e999").encode("utf-8", "replace")


@sizes(300, 20_000)
def test_configurations(upy, count):
    random = chance("configuration")
    good = {"serial": "SN1", "email": "a@b.c", "keepalive": 60, "ntp": ["a", "b:123"],
            "roots": {"SDCARD": "/files"}, "tls": True, "latitude": 48.1, "port": 8883,
            "log_level": "debug", "user": {"firstname": "A"}, "chunk": 4096}  # fmt: skip
    good = json.dumps(good).encode()
    ways = (*BYTES, _replace, _replace, _replace, _replace)
    run(upy, "configurations", lambda: damaged(random, good, ways), count)


@pytest.mark.parametrize("text", [b"[" * 4000, b'{"a":' * 800, b'{"roots":' + b"[" * 4000])
def test_a_configuration_that_is_nested_without_end_is_a_problem(upy, text):
    assert upy.call("damaged_input", "cramped_configuration", text) == 1
