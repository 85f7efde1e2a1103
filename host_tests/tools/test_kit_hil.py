"""The options of `make hil`: what cannot work is said before any test."""

from types import SimpleNamespace

import pytest

from host_tests.kit import hil

NAMES = ("hil", "port", "wifi_ssid", "host", "bind", "reset")
NETWORK = {"wifi_ssid": "lab", "host": "127.0.0.1"}


def option(**given):
    return SimpleNamespace(**{**dict.fromkeys(NAMES), **given})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"port": "socket://127.0.0.1:9", **NETWORK}, "RESET=<a command that resets the board>"),
        ({"port": "rfc2217://127.0.0.1:9"}, "make hil PORT=rfc2217://127.0.0.1:9 WIFI_SSID=..."),
        ({"port": "rfc2217://lab", **NETWORK}, "write it as rfc2217://HOST:PORT"),
        ({"reset": "true"}, "PORT=... is missing"),
        ({"host": "203.0.113.1"}, "nothing can listen on 203.0.113.1"),
        ({"host": "127.0.0.1", "bind": "203.0.113.1"}, "BIND= one to listen on"),
        ({"host": "http://lab"}, "without a scheme"),
    ],
)
def test_what_cannot_work_is_said_in_one_line(given, said):
    with pytest.raises(pytest.exit.Exception) as raised:
        hil.check(option(**given))
    assert raised.value.returncode == 1
    assert said in raised.value.msg and "\n" not in raised.value.msg


def test_what_can_work_reaches_board_and_backend(tmp_path):
    port = "rfc2217://127.0.0.1:9"
    given = option(port=port, wifi_ssid="lab", host="lab.example.org", bind="127.0.0.2")
    hil.check(given)
    boards = hil.boards(given, tmp_path)
    assert given.hil and boards.wifi[0] == "lab"
    assert boards.backend == {"host": "lab.example.org", "bind": "127.0.0.2"}
    hil.check(option())
