"""The passphrase of a board's set-up network: made once, told once, and by no other way."""

import re

import pytest
from click.testing import CliRunner

from flyve_mdm import ROOT
from flyve_mdm.board import cli_target, setup_network
from flyve_mdm.board.board import VirtualBoard
from flyve_mdm.board.remote import SerialBoard
from flyve_mdm.provision import provision as provision_command

MAC = "240ac400beef"
TOLD = (
    r"set-up network Flyve-BEEF, passphrase ([a-z2-9]{10}): .*\n"
    r".*WIFI:T:WPA;S:Flyve-BEEF;P:\1;;\n"
)


@pytest.fixture
def board(tmp_path):
    return VirtualBoard.create(tmp_path / "board", mac=MAC)


def flyve(command, target, *args):
    result = CliRunner().invoke(command, [str(target), *args])
    assert result.exit_code == 0, result.output
    return result.output


def kept(board):
    found = board.entry(*setup_network.KEY)
    return found and found.decode()


def test_a_deployment_makes_and_tells_it_once(board):
    assert kept(board) is None
    told = re.search(TOLD, flyve(cli_target.deploy, board.path))
    assert told and told[1] == kept(board)
    assert told[1] not in flyve(cli_target.deploy, board.path) and told[1] == kept(board)


def test_provisioning_makes_it_too_and_it_stays(board):
    told = re.search(TOLD, flyve(provision_command, board.path, "--serial", "1"))
    assert told[1] == kept(board)
    assert told[1] not in flyve(provision_command, board.path, "--serial", "2")
    flyve(cli_target.reset, board.path)
    assert told[1] == kept(board)


def test_a_board_that_shall_open_no_network_needs_none(board):
    said = flyve(provision_command, board.path, "--setup-off")
    assert "passphrase" not in said and kept(board) is None
    assert board.read("/config.json") == b'{"setup":"off"}'
    assert re.search(TOLD, flyve(provision_command, board.path, "--setup-on"))
    assert board.read("/config.json") == b"{}"


def test_a_board_on_a_port_gets_one_as_well(bench, tmp_path):
    board = bench.board(mac=MAC)
    run = bench.start(board, port=tmp_path / "port")
    port = run.wait_port()
    told = re.search(TOLD, flyve(provision_command, port, "--serial", "1"))
    assert told[1] == kept(board)
    assert told[1] not in flyve(provision_command, port, "--serial", "2")
    with SerialBoard(port) as there:
        assert there.mac == MAC
        assert there.entry("flyve", "nothing") is None


def test_doctor_names_the_network_and_never_the_passphrase(board):
    board.deploy()
    said = flyve(cli_target.doctor, board.path)
    assert "network Flyve-BEEF while blank; `flyve deploy` makes its passphrase" in said
    flyve(cli_target.deploy, board.path)
    said = flyve(cli_target.doctor, board.path)
    assert "network Flyve-BEEF while blank; it has its passphrase" in said
    assert kept(board) not in said
    flyve(provision_command, board.path, "--setup-off")
    assert "no network of its own" in flyve(cli_target.doctor, board.path)


def test_board_and_tools_make_the_same_passphrases_and_names():
    source = (ROOT / "firmware/flyve/jobs/access_point.py").read_text()
    assert f'_ALPHABET = const("{setup_network.ALPHABET}")' in source
    assert f"_LENGTH = const({setup_network.LENGTH})" in source
    assert f'_KEY = const("{setup_network.KEY[1]}")' in source
    assert 'return "Flyve-" + board_facts.mac()[-4:]' in source


def test_no_two_are_alike_and_none_has_letters_that_look_alike():
    made = [setup_network.passphrase() for _ in range(500)]
    assert len(set(made)) == 500
    assert set("".join(made)) == set(setup_network.ALPHABET)
    assert not set("01ilo") & set(setup_network.ALPHABET)


def test_a_terminal_gets_the_qr_code():
    lines = []
    setup_network.show(MAC, "abcdefghjk", lines.append, picture=True)
    rows = [re.sub("\x1b\\[[0-9;]*m", "", line) for line in lines[1:-1]]
    assert len({len(row) for row in rows}) == 1 and len(rows) * 2 - 1 == len(rows[0])
    assert set("".join(rows)) <= set(" █▀▄")
    assert "passphrase abcdefghjk" in lines[-1]
    assert not any("WIFI:" in line for line in lines)
