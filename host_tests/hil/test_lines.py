"""A port over the network: by RFC 2217 with RTS and DTR, or a plain socket and a command that
resets."""

import os
import signal
import threading

import pytest
import serial

from flyve_mdm.board.board import VirtualBoard
from flyve_mdm.board.folder import BoardError
from host_tests.kit.boards.bridge import SCHEMES, Bridge
from host_tests.kit.boards.lines import Commanded, Uart
from host_tests.kit.boards.virtual import JOIN_MS, PSK, SSID
from host_tests.kit.boards.wired import WiredBoard, WiredBoards

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pyserial's own

MAIN = "import time\nprint('up')\nn = 0\nwhile True:\n    time.sleep_ms(20)\n    n += 1\n"
RESET = f"kill -USR1 {os.getpid()}"


@pytest.fixture(params=SCHEMES)
def port(request, tmp_path):
    """The port of a virtual board, and the command that resets it, or None."""
    virtual = VirtualBoard.create(tmp_path / "board")
    virtual.set_air({SSID: PSK}, JOIN_MS)
    scheme = request.param
    with (
        virtual.start(port=tmp_path / "port") as run,
        Bridge(run.wait_port(), run, scheme) as bridge,
    ):
        before = signal.signal(signal.SIGUSR1, lambda *_: run.reset())
        yield bridge.url, RESET if scheme == "socket" else None
        signal.signal(signal.SIGUSR1, before)


@pytest.fixture
def wired_board(port):
    """A board that the tests reach as they reach one on /dev/ttyUSB0."""
    url, reset = port
    board = WiredBoard(Commanded(url, reset) if reset else Uart(url))
    yield board
    board.close()


@pytest.fixture
def boards(port, tmp_path):
    """The same, for whole agents. They are told another address than backends listen on."""
    url, reset = port
    backend = {"host": "127.0.0.2", "bind": "0.0.0.0"}
    made = WiredBoards(url, tmp_path, (SSID, PSK), backend, reset)
    yield made
    made.close()


def test_a_board_is_changed_started_and_held(wired_board):
    wired_board.change({"/main.py": MAIN.encode()})
    run = wired_board.start()
    run.wait_log("up")
    run.kill()
    assert not run.running
    again = wired_board.start()
    again.wait_log("up")
    again.kill()
    assert run.log.count("up") == again.log.count("up") == 1


def test_a_board_that_was_left_in_the_raw_repl_is_woken(wired_board):
    with serial.serial_for_url(wired_board.lines.port, 115200, timeout=5) as console:
        console.write(b"\x03\x01")
        assert b"raw REPL" in console.read_until(b"raw REPL; CTRL-B to exit\r\n>")
    assert wired_board.mac


def test_a_bridge_ends_though_its_client_stays(tmp_path):
    virtual = VirtualBoard.create(tmp_path / "board")
    with virtual.start(port=tmp_path / "port") as run:
        with Bridge(run.wait_port(), run, "socket") as bridge:
            client = serial.serial_for_url(bridge.url, timeout=5)
            client.write(b"\r\x03")
            assert client.read_until(b">>> ").endswith(b">>> "), "it serves the client"
        assert not [thread for thread in threading.enumerate() if thread.name == "bridge"]
        client.close()


def test_an_agent_enrolls_is_reset_and_comes_back(make_device):
    device = make_device(tls=True)
    assert "//127.0.0.2:" in device.backend.url
    device.go_online()
    assert device.backend.admin.ping(17, wait=10)
    device.run.kill()
    assert device.backend.wait_for(lambda: not device.agent.online, 60), "its will"
    device.start()
    device.online()
    assert device.posts() == [201]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("echo no such outlet >&2; exit 3", "ended with code 3: no such outlet"),
        ("sleep 60", "has not ended in"),
    ],
)
def test_a_command_that_does_not_reset_is_said_in_one_line(monkeypatch, tmp_path, command, said):
    monkeypatch.setattr("host_tests.kit.boards.lines._COMMAND", 0.2 if "sleep" in command else 60)
    virtual = VirtualBoard.create(tmp_path / "board")
    with virtual.start(port=tmp_path / "port") as run:
        lines = Commanded(run.wait_port(), command)
        with pytest.raises(BoardError, match=said) as raised:
            lines.start()
        lines.close()
    assert "\n" not in str(raised.value) and command in str(raised.value)
