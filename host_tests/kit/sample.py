"""Samples and content that can be repeated."""

from __future__ import annotations

import os
import random

SEED = int(os.environ["FLYVE_SEED"])  # host_tests/conftest.py sees to it


def chance(name: str) -> random.Random:
    """A generator that depends on the seed and on what it is for."""
    return random.Random(f"{SEED} {name}")


def sample(name: str, population, count: int) -> list:
    """A sample that depends on the seed and on what it is for, sorted."""
    population = list(population)
    chosen = chance(name).sample(population, min(count, len(population)))
    return sorted(chosen)


def content(size: int, salt: int = 0) -> bytes:
    """Bytes that do not repeat."""
    return random.Random(size * 7 + salt).randbytes(size)
