"""The lines of a real port, as far as RFC 2217 brings them: RTS and DTR move the EN pin."""

import pytest
import serial

from flyve_mdm.board import monitor
from flyve_mdm.board.board import VirtualBoard
from host_tests.hil.bridge import Bridge
from host_tests.kit.boards.lines import Uart
from host_tests.kit.boards.wired import WiredBoard

MAIN = "import time\nprint('up')\nn = 0\nwhile True:\n    time.sleep_ms(20)\n    n += 1\n"


@pytest.fixture
def wired_board(tmp_path):
    """A board that the tests reach as they reach one on /dev/ttyUSB0."""
    virtual = VirtualBoard.create(tmp_path / "board")
    with virtual.start(port=tmp_path / "port") as run, Bridge(run.wait_port(), run) as bridge:
        board = WiredBoard(Uart(bridge.url))
        yield board
        board.lines.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pyserial's own
def test_a_board_is_changed_started_and_held_by_its_lines(wired_board):
    wired_board.change({"/main.py": MAIN.encode()})
    run = wired_board.start()
    run.wait_log("up")
    run.kill()
    assert not run.running
    again = wired_board.start()
    again.wait_log("up")
    again.kill()
    assert run.log.count("up") == again.log.count("up") == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pyserial's own
def test_a_board_that_was_left_in_the_raw_repl_is_woken(wired_board):
    with serial.serial_for_url(wired_board.lines.port, 115200, timeout=5) as console:
        console.write(b"\x03\x01")
        assert b"raw REPL" in console.read_until(b"raw REPL; CTRL-B to exit\r\n>")
    assert wired_board.mac


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pyserial's own
def test_monitor_shows_a_board_behind_rfc_2217(wired_board):
    wired_board.change({"/main.py": MAIN.encode()})
    wired_board.leave()
    shown = []

    def show(text):
        shown.append(text)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        monitor.watch(wired_board.lines.port, monitor.Stamps(show), show)
    assert shown
