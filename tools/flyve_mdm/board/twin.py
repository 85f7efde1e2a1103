"""Modules of boards/virtual that the host needs, too: what they write, it reads."""

import importlib.util
import types

from flyve_mdm import ROOT


def load(name: str) -> types.ModuleType:
    """Returns boards/virtual/<name>.py as a module, without leaving its folder importable."""
    path = ROOT / "boards" / "virtual" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"flyve_mdm.board.{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
