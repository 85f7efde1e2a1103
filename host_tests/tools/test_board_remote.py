"""A board behind a port of the network: RFC 2217, or a plain socket."""

import socket
import threading

import pytest
from click.testing import CliRunner

from flyve_mdm.board import cli_target, monitor
from flyve_mdm.board.folder import BoardError
from flyve_mdm.board.remote import SerialBoard
from flyve_mdm.provision import provision as provision_command
from host_tests.kit.boards.bridge import SCHEMES, Bridge


@pytest.mark.parametrize("name", ["rfc2217://lab", "socket://:4000", "socket://lab:door"])
def test_a_url_without_host_and_port_is_said_in_one_line(name):
    for command in (cli_target.deploy, cli_target.reset, cli_target.monitor, cli_target.doctor):
        result = CliRunner().invoke(command, [name])
        assert result.exit_code == 1
        assert "://HOST:PORT" in result.output and result.output.count("\n") == 1


@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_address_where_nobody_listens_is_said_in_one_line(scheme):
    for command in (cli_target.reset, cli_target.monitor):
        result = CliRunner().invoke(command, [f"{scheme}://127.0.0.1:1"])
        assert result.exit_code == 1
        assert "does a server listen there?" in result.output
        assert result.output.count("\n") == 1


def test_a_server_that_is_no_board_is_said_once_in_a_while():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up():
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=hang_up, daemon=True).start()
        told, url = [], f"socket://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(BoardError, match="no MicroPython answers"):
            SerialBoard(url, answer=1, tell=told.append).run("pass")
    assert len(told) == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pyserial's own
@pytest.mark.parametrize("scheme", SCHEMES)
def test_all_commands_work_on_a_board_there(bench, tmp_path, monkeypatch, scheme):
    monkeypatch.setattr(monitor, "_SILENCE", 0.3)
    board = bench.board(flash_size=512 * 1024)
    board.deploy()
    board.remove("/lib/urequests.mpy")
    run = bench.start(board, port=tmp_path / "port")
    with Bridge(run.wait_port(), run, scheme) as bridge:

        def flyve(command, *args):
            result = CliRunner().invoke(command, [bridge.url, *args])
            assert result.exit_code == 0, result.output
            return result.output

        assert "1 of them new" in flyve(cli_target.deploy)
        flyve(provision_command, "--email", "ada@example.org")
        assert b"ada@example.org" in board.read("/config.json")
        assert "the agent runs on this MicroPython" in flyve(cli_target.doctor)
        flyve(cli_target.reset)
        shown = []

        def show(text):
            shown.append(text)
            if "console:" in text:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            monitor.watch(bridge.url, monitor.Stamps(show), show)
    assert "blank" in shown[-1]
