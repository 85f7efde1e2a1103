"""The set-up network of a virtual board, as the host sees it: where its servers are, who joins."""

import json
from collections.abc import Callable

from flyve_mdm.board.folder import Folder

_NOWHERE = (0, 0)


class Setup:
    """What the board tells of it; `say` gets a line for the console. The folder keeps the ports of
    page and DNS, so that they are the same from run to run when they are free."""

    def __init__(self, folder: Folder, say: Callable[[str], None]):
        self._kept, self._say = folder.path / "ports.json", say
        self.ports: tuple[int, int] | None = None  # of page and DNS, while both are open

    def wanted(self) -> tuple[int, int]:
        """The ports to begin with; 0: any."""
        try:
            page, dns = json.loads(self._kept.read_bytes())
            return int(page), int(dns)
        except (OSError, ValueError, TypeError):
            return _NOWHERE

    def servers(self, *ports: str) -> None:
        """Page and DNS are open on these ports, or closed: no ports."""
        if not ports:
            self.closed()
            return
        page, dns = map(int, ports)
        self.ports = page, dns
        self._kept.write_text(json.dumps(self.ports))
        self._say(f"setup: page http://127.0.0.1:{page}, dns 127.0.0.1:{dns}")

    def closed(self) -> None:
        """They are gone, as they are when the board restarts."""
        if self.ports:
            self.ports = None
            self._say("setup: closed")

    def station(self, *words: str) -> None:
        """What became of a phone that wanted to join."""
        self._say(f"setup: {' '.join(words)}")
