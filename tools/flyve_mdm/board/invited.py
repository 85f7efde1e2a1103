"""Virtual boards that are in a Wi-Fi and have an invitation: for the demo, fleets and benches."""

from collections.abc import Mapping
from pathlib import Path

from flyve_mdm.board.board import VirtualBoard
from flyve_mdm.text import for_board

SSID, PSK = "flyve", "flyve-demo"


def create(path: Path) -> VirtualBoard:
    """A new board in the air of that Wi-Fi, without firmware."""
    return VirtualBoard.create(path, aps={SSID: PSK})


def invite(board: VirtualBoard, link: str, settings: Mapping, ca: Path | None) -> None:
    """Puts the deeplink, the settings, the CA and the Wi-Fi's passphrase on a board."""
    files = {"/deeplink": link.encode(), "/config.json": for_board(settings, "the settings")}
    if ca:
        files["/ca.der"] = ca.read_bytes()
    board.change(files, {("flyve", "wifi"): for_board([[SSID, PSK]], "the network")})
