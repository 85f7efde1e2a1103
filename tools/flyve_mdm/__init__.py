"""The host side of the agent: the `flyve` command, the build and the simulated backend."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build"
