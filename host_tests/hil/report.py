"""What a run on a board has measured: a table, and build/hil.json to compare boards by."""

import json
import time

from rich.console import Console
from rich.table import Table

from tools import BUILD, libraries

PATH = BUILD / "hil.json"


class Report:
    """Figures by section and name."""

    def __init__(self):
        self.figures: dict[str, dict] = {"board": {}, "memory": {}, "timing": {}, "tests": {}}

    def add(self, section: str, **values) -> None:
        """Adds figures to a section."""
        self.figures[section].update(values)

    def write(self) -> None:
        """Writes build/hil.json."""
        self.figures["when"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        libraries.write(PATH, json.dumps(self.figures, indent=2).encode() + b"\n")

    def show(self) -> None:
        """Prints the table."""
        table = Table("", "figure", "value", title="On the board")
        for section in ("board", "memory", "timing", "tests"):
            for n, (name, value) in enumerate(self.figures[section].items()):
                text = f"{value:,}" if isinstance(value, int) else str(value)
                table.add_row("" if n else section, name.replace("_", " "), text)
            table.add_section()
        Console().print(table)
