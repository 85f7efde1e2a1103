"""Whether board.py alone imports what only a board has."""

import ast

import pytest

from flyve_mdm import ROOT

FLYVE = ROOT / "firmware" / "flyve"
MODULES = {path.stem: path for path in FLYVE.rglob("[!_]*.py")}
BOARD = {"esp32", "machine", "network"}
# Who takes them from board.py: apps.py wants to know why the board was reset.
THROUGH = {"access_point", "apps", "board_facts", "led", "wifi_join", "wifi_try"}


def _imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((None, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "board":
            yield "flyve.board", node.attr


@pytest.mark.parametrize("name", sorted(MODULES.keys() - {"board"}))
def test_what_only_a_board_has_is_taken_from_the_board(name):
    for home, what in _imported(ast.parse(MODULES[name].read_text())):
        assert home not in BOARD
        assert what not in BOARD or home == "flyve.board" and name in THROUGH
