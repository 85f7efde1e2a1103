"""Fifty boards from one table: some made from a factory image, all others without firmware."""

import csv
import time

import pytest
from click.testing import CliRunner

from flyve_mdm.board.board import VirtualBoard
from flyve_mdm.board.cli_image import image
from flyve_mdm.provision import provision
from host_tests.tools.test_board_factory import STOCK

PSK = "flyve-demo"


@pytest.mark.parametrize("count, made", [(6, 2), pytest.param(50, 10, marks=pytest.mark.soak)])
def test_boards_from_one_table_are_all_online(bench, tmp_path, backend, capsys, count, made):
    whole = tmp_path / "whole.bin"
    given = ["--firmware", str(STOCK), "--wifi", "flyve", "--psk", PSK, "-o", str(whole)]
    assert CliRunner().invoke(image, given).exit_code == 0
    rows = []
    for number in range(count):
        if number < made:
            board = VirtualBoard.from_flash(tmp_path / f"made{number}", whole, aps={"flyve": PSK})
        else:
            board = bench.board(flash_size=1 << 20, aps={"flyve": PSK})
        port = bench.start(board, port=tmp_path / f"port{number}").wait_port()
        link = backend.invite(f"user{number}@example.org")
        rows.append({"port": port, "name": f"board {number}", "deeplink": link})
    table = tmp_path / "boards.csv"
    with table.open("w", newline="") as file:
        out = csv.DictWriter(file, rows[0])
        out.writeheader()
        out.writerows(rows)
    table.chmod(0o600)
    begun = time.monotonic()
    options = ["--deploy", "--jobs", "10", "--wait-online", "600", "--wifi", "flyve", "--psk", PSK]
    options += ["--set", f'ntp=["{backend.ntp}"]']
    glpi = {"FLYVE_URL": backend.url, "FLYVE_USER_TOKEN": backend.admin_token}
    result = CliRunner().invoke(provision, ["--batch", str(table), *options], env=glpi)
    assert result.exit_code == 0, result.output
    assert f"{count} boards: {count} online" in result.stdout
    assert sum(agent.online for agent in backend.agents) == count
    with capsys.disabled():
        print(f"\n{count} boards online after {time.monotonic() - begun:.0f} s")
