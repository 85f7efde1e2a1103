"""How long commands and tests wait: FLYVE_SLOW=4 gives every deadline four times its seconds."""

import os

NAME = "FLYVE_SLOW"
_MOST = 100


def factor() -> float:
    """What deadlines are stretched by. Raises ValueError."""
    text = os.environ.get(NAME) or "1"
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 1 <= value <= _MOST:
        raise ValueError(f"{NAME}={text}: it must be a number from 1 to {_MOST}")
    return value


def stretched(seconds: float) -> float:
    """A deadline, for the slowness at hand."""
    return seconds * factor()
