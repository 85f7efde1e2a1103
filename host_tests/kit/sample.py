"""Randomness that can be repeated: everything here follows from one seed."""

from __future__ import annotations

import os
import random

SEED = int(os.environ["FLYVE_SEED"])  # host_tests/conftest.py sees to it


def chance(name: str) -> random.Random:
    """A generator that depends on the seed and on what it is for."""
    return random.Random(f"{SEED} {name}")
