"""What a run on a board has measured: a table, and build/hil-<target>.json to compare boards."""

import json
import re
import time

from flyve_mdm import BUILD, tables
from flyve_mdm.build import libraries


class Report:
    """Figures by section and name."""

    def __init__(self):
        self.figures: dict[str, dict] = {"board": {}, "memory": {}, "timing": {}, "tests": {}}

    def add(self, section: str, **values) -> None:
        """Adds figures to a section."""
        self.figures[section].update(values)

    def write(self, target: str) -> None:
        """Writes build/hil-<target>.json."""
        self.figures["when"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        path = BUILD / f"hil-{re.sub(r'[^A-Za-z0-9]+', '-', target).strip('-')}.json"
        libraries.write(path, json.dumps(self.figures, indent=2).encode() + b"\n")

    def show(self) -> None:
        """Prints the table."""
        rows = []
        for section in ("board", "memory", "timing", "tests"):
            for n, (name, value) in enumerate(self.figures[section].items()):
                text = f"{value:,}" if isinstance(value, int) else str(value)
                rows.append(("" if n else section, name.replace("_", " "), text))
        tables.show(("", "figure", "value"), rows, "On the board")
