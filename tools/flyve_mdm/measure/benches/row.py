"""What a bench yields."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Row:
    """One figure: `value` against `budget` (both texts with units), `met`, and the same of a
    `peer`; `ratio` is ours to the peer's, in the direction that the budget names."""

    what: str
    value: str
    budget: str = ""
    met: bool | None = None
    peer: str = ""
    ratio: float | None = None
